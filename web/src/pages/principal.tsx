import { Badge, Button, Group, Modal, Select, Stack, Tabs, Text } from '@mantine/core'
import { keepPreviousData, useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { getRouteApi } from '@tanstack/react-router'
import type { ColumnDef } from '@tanstack/react-table'
import { useMemo, useState } from 'react'
import { api, body, page, type Schema } from '../client'
import { type Kind, useTable } from '../facts'
import { Access, general, Remark, what } from '../parts/access'
import { Ask, useChange } from '../parts/ask'
import { FormFrame } from '../parts/form'
import { endOf, KindField, LevelField, Until } from '../parts/give'
import { HoldingsTable } from '../parts/holdings'
import { PageLink } from '../parts/link'
import { PatternFields } from '../parts/pattern'
import { Preview } from '../parts/preview'
import { RolesOf } from '../parts/roles'
import { doing, Listing, More, paging, type Place, Rows } from '../parts/table'
import { PageTitle } from '../parts/title'
import { Trouble } from '../parts/trouble'
import { When } from '../parts/when'
import { Which } from '../parts/which'
import { InWorkspace } from '../parts/workspace'
import { addPattern, give, nameOf, type Principal } from '../permissions'

const userRoute = getRouteApi('/users/$name')
const groupRoute = getRouteApi('/groups/$name')

/** One user or service account, for administrators. */
export function UserPage() {
  const { name } = userRoute.useParams()
  const { tab = 'given', ...at } = userRoute.useSearch()
  const navigate = userRoute.useNavigate()
  const query = useQuery({ queryKey: ['user', name], queryFn: () => body(api.GET('/api/2.0/mlflow/users/{username}', { params: { path: { username: name } } })) })
  return (
    <Stack>
      <div>
        <PageLink to={query.data?.is_service_account ? '/services' : '/users'} size="sm">{query.data?.is_service_account ? 'Service accounts' : 'Users'}</PageLink>
        <Group justify="space-between" align="start">
          <div>
            <PageTitle>{query.data?.display_name || name}</PageTitle>
            <Text c="dimmed" className="name">{name}</Text>
          </div>
          {query.data && <AccountActions name={name} active={query.data.active} />}
        </Group>
        {query.error && <Trouble error={query.error} retry={() => query.refetch()} />}
        <Group gap={4} mt="xs">
          {query.data?.is_admin && <Badge variant="light" color="violet">administrator</Badge>}
          {(query.data?.groups ?? []).map((g) => <PageLink key={g.id} size="sm" to="/groups/$name" params={{ name: g.group_name }}>{g.group_name}</PageLink>)}
        </Group>
      </div>
      <Tabs key={name} value={tab} onChange={(to) => navigate({ search: { tab: to ?? undefined } })} keepMounted={false}>
        <Tabs.List>
          <Tabs.Tab value="given">Permissions</Tabs.Tab>
          <Tabs.Tab value="roles">Roles</Tabs.Tab>
          <Tabs.Tab value="what">What can they access?</Tabs.Tab>
          <Tabs.Tab value="tokens">Tokens</Tabs.Tab>
          <Tabs.Tab value="sessions">Sessions</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="given" pt="md"><GivenTo to={{ user: name }} at={at} go={(to) => navigate({ search: { tab, ...to }, replace: true })} /></Tabs.Panel>
        <Tabs.Panel value="roles" pt="md"><RolesOf user={name} at={at} go={(to) => navigate({ search: { tab, ...to }, replace: true })} /></Tabs.Panel>
        <Tabs.Panel value="what" pt="md"><WhatCan user={name} /></Tabs.Panel>
        <Tabs.Panel value="tokens" pt="md"><Tokens user={name} /></Tabs.Panel>
        <Tabs.Panel value="sessions" pt="md"><Sessions user={name} /></Tabs.Panel>
      </Tabs>
    </Stack>
  )
}

function AccountActions({ name, active }: { name: string; active: boolean }) {
  const navigate = userRoute.useNavigate()
  const holds = useQuery({ queryKey: ['holdings', { user: name }, 'count'], queryFn: () => body(api.GET('/api/2.0/mlflow/permissions/holdings', { params: { query: { user: name, limit: 1 } } })) })
  const activate = useChange({
    run: () => body(api.PATCH('/api/2.0/mlflow/users/{username}/active', { params: { path: { username: name } }, body: { active: true } })),
    said: () => `${name} is active again`,
  })
  return (
    <Group gap="xs">
      {!active
        ? <Button size="compact-sm" variant="light" loading={activate.isPending} onClick={() => activate.mutate()}>Activate</Button>
        : (
            <Ask label="Deactivate" title={`Deactivate ${name}?`} confirm="Deactivate" said={`${name} is deactivated`}
              run={() => body(api.PATCH('/api/2.0/mlflow/users/{username}/active', { params: { path: { username: name } }, body: { active: false } }))}>
              All sessions and tokens end now, and nobody can sign in as {name}. Permissions stay for when the account is activated again; tokens do not come back.
            </Ask>
          )}
      <Ask label="Delete" title={`Delete ${name}?`} confirm="Delete for good" said={`${name} is deleted`} after={() => void navigate({ to: '/users' })}
        run={() => body(api.DELETE('/api/2.0/mlflow/users', { body: { username: name } }))}>
        With the account go its {holds.data ? holds.data.total.toLocaleString() : '…'} permissions and patterns, its roles, memberships, tokens and sessions. What it has made in MLflow stays. This cannot be undone.
      </Ask>
    </Group>
  )
}

/** One group, for administrators. */
export function GroupPage() {
  const { name } = groupRoute.useParams()
  const { tab = 'given', ...at } = groupRoute.useSearch()
  const navigate = groupRoute.useNavigate()
  return (
    <Stack>
      <div>
        <PageLink to="/groups" size="sm">Groups</PageLink>
        <PageTitle>{name}</PageTitle>
      </div>
      <Tabs key={name} value={tab} onChange={(to) => navigate({ search: { tab: to ?? undefined } })} keepMounted={false}>
        <Tabs.List>
          <Tabs.Tab value="given">Permissions</Tabs.Tab>
          <Tabs.Tab value="members">Members</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="given" pt="md"><GivenTo to={{ group: name }} at={at} go={(to) => navigate({ search: { tab, ...to }, replace: true })} /></Tabs.Panel>
        <Tabs.Panel value="members" pt="md"><Members group={name} at={at} go={(to) => navigate({ search: { tab, ...to }, replace: true })} /></Tabs.Panel>
      </Tabs>
    </Stack>
  )
}

const memberColumns: ColumnDef<Schema['Member']>[] = [
  { header: 'Username', cell: ({ row: { original: m } }) => <PageLink to="/users/$name" params={{ name: m.username }}>{m.username}</PageLink> },
]

function Members({ group, at, go }: { group: string; at: Place; go: (to: Place) => void }) {
  const query = useQuery({
    queryKey: ['members', group, at],
    queryFn: () => page(api.GET('/api/2.0/mlflow/permissions/groups/{group_name}/users', { params: { path: { group_name: group }, query: paging(at) } })),
    placeholderData: keepPreviousData,
  })
  return (
    <Listing label="Members" identify={(m) => m.username} columns={memberColumns} rows={query.data?.rows} total={query.data?.total} error={query.error} fetching={query.isFetching} at={at} go={go}
      empty={at.q ? 'No name has this in it.' : 'Nobody is in this group.'} />
  )
}

function WhatCan({ user }: { user: string }) {
  const query = useInfiniteQuery(what(user))
  if (query.error) return <Trouble error={query.error} retry={() => query.refetch()} />
  return (
    <Stack>
      {query.data?.pages[0]?.is_admin && <Text>An administrator may do everything, whatever is given below.</Text>}
      <Remark pages={query.data?.pages} />
      <Access rows={query.data?.pages.flatMap((p) => p.access ?? [])} general={general(query.data?.pages)} empty="Nothing is given to this account." />
      <Group><More query={query} /></Group>
    </Stack>
  )
}

function GivenTo({ to, at, go }: { to: Principal; at: Place; go: (to: Place) => void }) {
  const [giving, setGiving] = useState(false)
  return (
    <>
      <HoldingsTable of={to} at={at} go={go} actions={<Button onClick={() => setGiving(true)}>Give a permission</Button>} empty="Nothing is given to them directly." />
      <Modal opened={giving} onClose={() => setGiving(false)} title={`Give ${nameOf(to)} a permission`} size="lg">
        {giving && <GiveTo to={to} close={() => setGiving(false)} />}
      </Modal>
    </>
  )
}

function GiveTo({ to, close }: { to: Principal; close: () => void }) {
  const { kinds } = useTable()
  const [kind, setKind] = useState(kinds[0]!)
  const [by, setBy] = useState<'one' | 'pattern'>('one')
  const [on, setOn] = useState('')
  const [priority, setPriority] = useState<number | string>(100)
  const [level, setLevel] = useState('READ')
  const [until, setUntil] = useState('')
  function choose(to: Kind) {
    setKind(to)
    setOn('')
    if (!to.patterns_segment) setBy('one')
  }
  const add = useChange({
    quiet: true,
    run: () => {
      const given = { permission: level, ...(until ? { expires_at: endOf(until) } : {}) }
      return by === 'one' ? give(to, kind, on, given) : addPattern(to, kind, { ...given, regex: on, priority: Number(priority) })
    },
    said: () => `${nameOf(to)} has ${level}`,
    after: close,
  })
  return (
    <FormFrame by={add} label="Give" close={close} disabled={!on}>
      <KindField value={kind.name} onChange={choose} />
      {kind.patterns_segment && (
        <Select label="On" data={[{ value: 'one', label: 'one of them' }, { value: 'pattern', label: 'all whose names match a pattern' }]} value={by} allowDeselect={false} onChange={(v) => { setBy(v === 'pattern' ? 'pattern' : 'one'); setOn('') }} />
      )}
      {by === 'pattern'
        ? <PatternFields regex={on} priority={priority} onRegex={setOn} onPriority={setPriority} />
        : <Which key={kind.name} kind={kind} value={on} onChange={setOn} />}
      <InWorkspace kind={kind} pattern={by === 'pattern'} />
      <LevelField value={level} onChange={setLevel} />
      <Until value={until} onChange={setUntil} />
      {by === 'pattern' && <Preview to={to} kind={kind} regex={on} priority={Number(priority)} permission={level} />}
    </FormFrame>
  )
}

const tokenColumns: ColumnDef<Schema['Personal']>[] = [
  { header: 'Name', cell: ({ row: { original: t } }) => <span className="name">{t.name}</span> },
  { header: 'Made', cell: ({ row: { original: t } }) => <When at={t.created_at} /> },
  { header: 'Last used', cell: ({ row: { original: t } }) => <When at={t.last_used_at} none="never" /> },
  { header: 'Ends', cell: ({ row: { original: t } }) => <When at={t.expires_at} /> },
]

function Tokens({ user }: { user: string }) {
  const path = { path: { username: user } }
  const query = useQuery({ queryKey: ['tokens', user], queryFn: () => body(api.GET('/api/2.0/mlflow/users/{username}/tokens', { params: path })) })
  const columns = useMemo<ColumnDef<Schema['Personal']>[]>(() => [...tokenColumns, {
    id: 'revoke', header: doing,
    cell: ({ row: { original: t } }) => (
      <Ask label="Revoke" title={`Revoke ${t.name}?`} confirm="Revoke" said={`The token ${t.name} is revoked`}
        run={() => body(api.DELETE('/api/2.0/mlflow/users/{username}/tokens/{token_id}', { params: { path: { username: user, token_id: t.id } } }))}>
        Programs that use it are refused at once. It cannot be brought back.
      </Ask>
    ),
  }], [user])
  return (
    <Stack align="start">
      <Rows label="Tokens" identify={(t) => String(t.id)} rows={query.data?.tokens ?? undefined} error={query.error} columns={columns} empty="There are no tokens." />
      <Ask label="Revoke every token" title={`Revoke every token of ${user}?`} confirm="Revoke all" said="All tokens are revoked"
        run={() => body(api.DELETE('/api/2.0/mlflow/users/{username}/tokens', { params: path }))}>
        Also the one without a name. Programs that use them are refused at once.
      </Ask>
    </Stack>
  )
}

function Sessions({ user }: { user: string }) {
  const path = { path: { username: user } }
  const query = useQuery({ queryKey: ['sessions', user], queryFn: () => body(api.GET('/api/2.0/mlflow/users/{username}/sessions', { params: path })) })
  return (
    <Stack align="start">
      <Rows label="Sessions" identify={(s) => String(s.pk)} rows={query.data?.sessions ?? undefined} error={query.error} empty="They are signed in nowhere."
        columns={[
          { header: 'Browser', cell: ({ row: { original: s } }) => <span className="name">{s.client || 'unknown'}</span> },
          { header: 'Signed in', cell: ({ row: { original: s } }) => <When at={s.created_at} /> },
          { header: 'Last seen', cell: ({ row: { original: s } }) => <When at={s.last_seen_at} /> },
        ]} />
      <Ask label="End all sessions" title={`End all sessions of ${user}?`} confirm="End them" said="All sessions have ended"
        run={() => body(api.DELETE('/api/2.0/mlflow/users/{username}/sessions', { params: path }))}>
        All browsers in which they are signed in have to sign in again.
      </Ask>
    </Stack>
  )
}
