import { Alert, Badge, Button, Card, Group, Select, Skeleton, Stack, Text, TextInput, Title } from '@mantine/core'
import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { useRef, useState } from 'react'
import { useKind, useMe, useTable } from '../facts'
import { change, take } from '../permissions'
import { type AccessRequest, approve, managed, refuse, reopen } from '../requests'
import { useChange } from './ask'
import { dayOf, endOf, Until } from './give'
import { explanation, Level } from './level'
import { PageButton, PageLink } from './link'
import { More } from './table'
import { Trouble } from './trouble'
import { When } from './when'

/** The levels that can be asked for. */
export const useWanted = () => useTable().levels.filter((level) => level !== 'NO_PERMISSIONS')

/** What a request is about. */
export function About({ of, tab }: { of: AccessRequest; tab?: string }) {
  const title = useKind(of.kind)?.title ?? of.kind
  return <>{title} <PageLink to="/resources/$kind/$id" params={{ kind: of.kind, id: of.resource }} search={{ tab }}>{of.name || of.resource}</PageLink></>
}

/** The open requests that one may decide on: all, or what is about one resource. */
export function ToDecide({ of, empty }: { of?: { kind: string; id: string }; empty: string }) {
  const query = useInfiniteQuery(managed(of))
  if (query.error) return <Trouble error={query.error} retry={() => query.refetch()} />
  if (!query.data) return <Stack aria-busy>{[0, 1, 2].map((i) => <Skeleton key={i} height={180} />)}</Stack>
  const rows = query.data.pages.flatMap((p) => p.requests ?? [])
  const { total, more } = query.data.pages[0]!
  return (
    <Stack>
      {rows.length === 0 && <Alert variant="light" color="gray">{query.hasNextPage ? 'None among those looked at so far: show more.' : empty}</Alert>}
      {rows.map((r) => <Decide key={r.id} request={r} />)}
      <Group justify="space-between" mih={36}>
        <Text size="sm" c="dimmed" role="status">{more ? `At least ${total?.toLocaleString()} in all` : `${total?.toLocaleString()} in all`}</Text>
        <More query={query} />
      </Group>
    </Stack>
  )
}

function Decide({ request: r }: { request: AccessRequest }) {
  const kind = useKind(r.kind)
  const me = useMe()
  const wanted = useWanted()
  const [level, setLevel] = useState(r.permission)
  const [until, setUntil] = useState(dayOf(r.expires_at))
  const [why, setWhy] = useState('')
  const before = useRef<{ permission: string; expires_at?: string } | null>(null)
  const own = r.user === me.username
  // until the day that was asked for is until the time that was asked for
  const end = () => (until === dayOf(r.expires_at) ? (r.expires_at ?? null) : endOf(until))
  const give = useChange({
    quiet: true,
    run: async () => { before.current = (await approve(r, { permission: level, expires_at: end() })).before ?? null },
    said: () => `${r.user} has ${level}`,
    undo: async () => {
      const was = before.current
      if (was) await change({ user: r.user }, kind!, r.resource, { permission: was.permission, expires_at: was.expires_at ?? null })
      else await take({ user: r.user }, kind!, r.resource)
      await reopen(r)
    },
  })
  const no = useChange({ quiet: true, run: () => refuse(r, why), said: () => `Refused to ${r.user}`, undo: () => reopen(r) })
  const error = give.error ?? no.error
  return (
    <Card withBorder component="section" aria-label={`Request of ${r.user}`}>
      <Stack gap="sm">
        <Title order={3} size="h5"><span className="name">{r.display_name || r.user}</span> asks for {r.permission}</Title>
        <Text size="sm"><span className="name">{r.user}</span> · <About of={r} tab="requests" /></Text>
        <Group gap="lg">
          {r.held && <Text size="sm">Has now: <Level level={r.held} /></Text>}
          <Text size="sm">Asked: <When at={r.asked_at} /></Text>
          <Text size="sm">Until: <When at={r.expires_at} none="no end" /></Text>
        </Group>
        <Text className="name words">{r.reason || 'No reason is given.'}</Text>
        {own ? <Text size="sm" c="dimmed">This is your own request: somebody else decides on it.</Text> : (
          <>
            <Group align="end" gap="sm">
              <Select label="Level" w={150} data={wanted} value={level} allowDeselect={false} onChange={(to) => to && setLevel(to)} />
              <Until value={until} onChange={setUntil} />
              <Button disabled={!kind} loading={give.isPending} onClick={() => give.mutate()}>Approve</Button>
            </Group>
            <Group align="end" gap="sm">
              <TextInput label="Answer, when you refuse" w={{ base: '100%', xs: 300 }} maxLength={1000} value={why} onChange={(e) => setWhy(e.currentTarget.value)} />
              <Button variant="default" loading={no.isPending} onClick={() => no.mutate()}>Refuse</Button>
            </Group>
          </>
        )}
        {error && <Trouble error={error} />}
      </Stack>
    </Card>
  )
}

/** What has become of a request. */
export function Outcome({ of: r }: { of: AccessRequest }) {
  return (
    <Stack gap={2} align="start">
      <Badge variant="default">{r.status}</Badge>
      {r.status !== 'open' && <Text size="sm">by <span className="name">{r.decided_by}</span>, <When at={r.decided_at} /></Text>}
      {r.given && <Text size="sm">gave <Level level={r.given} />{r.given_until && <>, ends <When at={r.given_until} /></>}</Text>}
      {r.answer && <Text size="sm" className="name words">{r.answer}</Text>}
    </Stack>
  )
}

/** What one may do with a resource, and what it is called; undefined where it is not known yet, null where one may not even read it. */
export function useOwn(kind: string, id: string) {
  const { username: user } = useMe()
  const query = useQuery(explanation({ user, kind, id }))
  return query.error ? null : query.data
}

/** Leads to where one asks for more than one has. */
export function AskLink({ kind, id }: { kind: string; id: string }) {
  const own = useOwn(kind, id)
  const wanted = useWanted()
  const next = wanted[own ? wanted.indexOf(own.permission) + 1 : 0]
  if (own === undefined || !next) return null
  return <PageButton to="/ask" search={{ kind, id, level: next }} variant="default" size="sm">Ask for access</PageButton>
}
