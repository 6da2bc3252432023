import { Button, Group, Modal, Stack, Tabs, Text } from '@mantine/core'
import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { getRouteApi } from '@tanstack/react-router'
import { useState } from 'react'
import { api, body } from '../client'
import { type Kind, plural, useKind, useMe, useTable } from '../facts'
import { Access, Remark, who } from '../parts/access'
import { useChange } from '../parts/ask'
import { GiveForm } from '../parts/give'
import { HoldingsTable } from '../parts/holdings'
import { Explanation } from '../parts/level'
import { PageLink } from '../parts/link'
import { AskLink, ToDecide, useOwn } from '../parts/requests'
import { SpeakingPatterns } from '../parts/speaking'
import { More, Rows } from '../parts/table'
import { PageTitle } from '../parts/title'
import { Nowhere, Trouble } from '../parts/trouble'
import { InWorkspace } from '../parts/workspace'
import { give, type Given, nameOf, type Principal, take } from '../permissions'

const route = getRouteApi('/resources/$kind/$id')

/** One resource: who holds something on it, and who can do what with it. */
export function Resource() {
  const { kind: name, id } = route.useParams()
  const { tab = 'given' } = route.useSearch()
  const navigate = route.useNavigate()
  const kind = useKind(name)
  const me = useMe()
  const own = useOwn(name, id)
  const manages = own?.permission === 'MANAGE'
  const inner = useTable().kinds.find((k) => k.parent === name)
  if (!kind) return <Nowhere />
  return (
    <Stack>
      <div>
        <PageLink to="/resources/$kind" params={{ kind: name }} size="sm">{plural(kind.title)}</PageLink>
        <Group justify="space-between" mih={36}>
          <PageTitle>{own?.name || id}</PageTitle>
          <AskLink key={`${name} ${id}`} kind={name} id={id} />
        </Group>
        {kind.by_id && <Text c="dimmed" className="name">{id}</Text>}
      </div>
      <Tabs key={`${name} ${id}`} value={tab} onChange={(to) => navigate({ search: { tab: to ?? undefined } })} keepMounted={false}>
        <Tabs.List>
          <Tabs.Tab value="given">Permissions</Tabs.Tab>
          <Tabs.Tab value="who">Who can access this?</Tabs.Tab>
          {kind.patterns_segment && <Tabs.Tab value="patterns">Patterns</Tabs.Tab>}
          <Tabs.Tab value="mine">What can I do?</Tabs.Tab>
          {manages && <Tabs.Tab value="requests">Requests</Tabs.Tab>}
          {inner && <Tabs.Tab value="inner">{plural(inner.title)}</Tabs.Tab>}
        </Tabs.List>
        <Tabs.Panel value="given" pt="md"><GivenOn kind={kind} id={id} /></Tabs.Panel>
        <Tabs.Panel value="who" pt="md"><WhoCan kind={name} id={id} /></Tabs.Panel>
        {kind.patterns_segment && <Tabs.Panel value="patterns" pt="md"><SpeakingPatterns kind={name} id={id} /></Tabs.Panel>}
        <Tabs.Panel value="mine" pt="md"><Explanation user={me.username} kind={name} id={id} /></Tabs.Panel>
        {manages && <Tabs.Panel value="requests" pt="md"><ToDecide of={{ kind: name, id }} empty="Nobody asks for access to this." /></Tabs.Panel>}
        {inner && <Tabs.Panel value="inner" pt="md"><Parts kind={inner} parent={id} /></Tabs.Panel>}
      </Tabs>
    </Stack>
  )
}

function GivenOn({ kind, id }: { kind: Kind; id: string }) {
  const { tab, ...at } = route.useSearch()
  const navigate = route.useNavigate()
  const [giving, setGiving] = useState(false)
  const add = useChange<{ to: Principal; given: Given }>({
    quiet: true,
    run: ({ to, given }) => give(to, kind, id, given),
    said: ({ to, given }) => `${nameOf(to)} has ${given.permission}`,
    undo: ({ to }) => take(to, kind, id),
  })
  return (
    <>
      <HoldingsTable of={{ kind: kind.name, id }} at={at} go={(to) => navigate({ search: { tab, ...to }, replace: true })}
        actions={<Button onClick={() => setGiving(true)}>Give a permission</Button>}
        empty="Nothing is given on this itself. Who can access it by patterns, groups, roles or the default is under “Who can access this?”." />
      <Modal opened={giving} onClose={() => setGiving(false)} title="Give a permission">
        {giving && <><InWorkspace kind={kind} /><GiveForm close={() => setGiving(false)} run={(to, given) => add.mutateAsync({ to, given })} /></>}
      </Modal>
    </>
  )
}

function WhoCan({ kind, id }: { kind: string; id: string }) {
  const query = useInfiniteQuery(who(kind, id))
  if (query.error) return <Trouble error={query.error} retry={() => query.refetch()} />
  const administrators = query.data?.pages[0]?.administrators ?? []
  return (
    <Stack>
      {administrators.length > 0 && <Text size="sm">Administrators may do everything: <span className="name">{administrators.join(', ')}</span></Text>}
      <Remark pages={query.data?.pages} />
      <Access users rows={query.data?.pages.flatMap((p) => p.access ?? [])} empty={query.hasNextPage ? 'Nobody among those looked at so far: show more.' : 'Nobody but administrators.'} />
      <Group><More query={query} /></Group>
    </Stack>
  )
}

function Parts({ kind, parent }: { kind: Kind; parent: string }) {
  const query = useQuery({
    queryKey: ['inner', kind.name, parent],
    queryFn: async () => (await body(api.GET('/api/3.0/mlflow/permissions/scorers/{experiment_id}', { params: { path: { experiment_id: parent } } }))) ?? [],
  })
  return (
    <Rows label={plural(kind.title)} identify={(r) => String(r.name)} error={query.error} rows={query.data} empty={`There is no ${kind.title} here whose permissions you may change.`}
      columns={[{ header: 'Name', cell: ({ row: { original: r } }) => <PageLink to="/resources/$kind/$id" params={{ kind: kind.name, id: `${parent}/${String(r.name)}` }}>{String(r.name)}</PageLink> }]} />
  )
}
