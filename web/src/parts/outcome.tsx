import { Alert, Badge, Card, Group, Stack, Text, Title } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import type { ColumnDef } from '@tanstack/react-table'
import type { ReactNode } from 'react'
import { api, body, type Schema } from '../client'
import { KindTitle } from './access'
import { Level, On, Source } from './level'
import { PageLink } from './link'
import { Rows } from './table'
import { Trouble } from './trouble'

type Trial = Schema['Trial']

/** What would come of a sign-in that was tried. The server shows it once. */
export function Outcome({ trial, titled }: { trial: string; titled: (id: string) => string }) {
  const query = useQuery({
    queryKey: ['trial', trial],
    queryFn: () => body(api.POST('/api/2.0/mlflow/permissions/trials/{trial}', { params: { path: { trial } } })),
    staleTime: Infinity,
    gcTime: Infinity,
    retry: false,
    refetchOnWindowFocus: false,
    refetchOnReconnect: false,
  })
  if (query.error && !query.data) return <Trouble error={query.error} />
  if (!query.data) return <Text role="status">Asking …</Text>
  const t = query.data
  return (
    <Card withBorder component="section" aria-label="Outcome of the test">
      <Stack gap="sm">
        <Title order={3} size="h4">What would come of this sign-in at <span className="name">{titled(t.provider)}</span></Title>
        {t.let_in
          ? <Alert color="cyan" variant="light" title="They would be signed in" />
          : <Alert color="red" variant="light" title="They would not be signed in"><span className="name">{t.refused}</span></Alert>}
        <Text size="sm" c="dimmed">Nobody was signed in here, and nothing has changed. This browser may be signed in at the provider as whom you tried.</Text>
        {t.cut && <Alert color="yellow" title="This is not all">It is too much to show all of it.</Alert>}
        <Who of={t} />
        <Groups of={t} />
        {t.let_in && <Rights of={t} />}
        <Claims of={t} />
      </Stack>
    </Card>
  )
}

const Part = ({ title, children }: { title: string; children: ReactNode }) => <Stack gap="xs"><Title order={4} size="h5">{title}</Title>{children}</Stack>

function Who({ of: t }: { of: Trial }) {
  if (!t.subject) return null
  return (
    <Part title="Who">
      <Group gap="xs">
        <span className="name">{t.new || !t.let_in ? t.username : <PageLink to="/users/$name" params={{ name: t.username ?? '' }}>{t.username}</PageLink>}</span>
        {t.display_name && <span className="name">({t.display_name})</span>}
        <Badge variant="light" color={t.new ? 'blue' : 'gray'}>{t.new ? 'an account would be made' : 'an account is there already'}</Badge>
        <Badge variant="light" color={t.is_admin ? 'violet' : 'gray'}>{t.is_admin ? 'administrator' : 'no administrator'}</Badge>
      </Group>
      <Text size="sm" c="dimmed" className="name">Known by the subject {t.subject} of {t.issuer}.</Text>
    </Part>
  )
}

function Groups({ of: t }: { of: Trial }) {
  const others = t.other_groups ?? []
  return (
    <Part title="Groups">
      <Text size="sm" className="name">From {t.groups_by}.</Text>
      <Rows label="Groups of the provider" identify={(g) => g.name} columns={groupColumns} rows={t.groups ?? []} empty="The provider names no group that could be read." />
      {others.length > 0 && <Text size="sm" className="name">Also in {others.join(', ')}, whatever this provider says.</Text>}
    </Part>
  )
}

const groupColumns: ColumnDef<Schema['TrialGroup']>[] = [
  { header: 'Group', cell: ({ row: { original: g } }) => (g.known ? <PageLink to="/groups/$name" params={{ name: g.name }}>{g.name}</PageLink> : <span className="name">{g.name}</span>) },
  { header: 'Here', cell: ({ row: { original: g } }) => (g.known ? 'known' : 'new: it holds nothing yet') },
]

function Rights({ of: t }: { of: Trial }) {
  const general = t.general ?? []
  return (
    <Part title="What they could do">
      {t.is_admin && <Text size="sm">Administrators may do everything, whatever else is said.</Text>}
      {t.remark && <Alert color="yellow" title="This is not all">{t.remark}</Alert>}
      {general.length > 0 && <ul>{general.map((one, i) => <li key={i}><Text size="sm"><Level level={one.permission} /> on <On of={one} />, by <Source of={one} /></Text></li>)}</ul>}
      <Rows label="What they could do" identify={(a) => `${a.kind} ${a.id}`} columns={rightColumns} rows={t.access ?? []} empty={general.length > 0 ? 'Nothing on a single resource.' : 'Nothing is given to them or their groups.'} />
    </Part>
  )
}

const rightColumns: ColumnDef<Schema['Access']>[] = [
  { header: 'Kind', cell: ({ row: { original: a } }) => <KindTitle kind={a.kind} /> },
  { header: 'Resource', cell: ({ row: { original: a } }) => <PageLink to="/resources/$kind/$id" params={{ kind: a.kind, id: a.id }}>{a.id}</PageLink> },
  { header: 'Level', cell: ({ row: { original: a } }) => <Level level={a.permission || 'unknown'} /> },
  { header: 'By', cell: ({ row: { original: a } }) => (a.via ? <Source of={a.via} /> : a.reason) },
]

function Claims({ of: t }: { of: Trial }) {
  return (
    <Part title="What the provider said">
      <Rows label="Claims" identify={(c) => `${c.from} ${c.name}`} columns={claimColumns} rows={t.claims ?? []} empty="It said nothing that could be verified." />
    </Part>
  )
}

const claimColumns: ColumnDef<Schema['Claim']>[] = [
  { header: 'Claim', cell: ({ row: { original: c } }) => <span className="name">{c.name}</span> },
  { header: 'Value', cell: ({ row: { original: c } }) => <code className="name">{c.value}</code> },
  { header: 'From', cell: ({ row: { original: c } }) => (c.from === 'id_token' ? 'ID token' : 'user info') },
]
