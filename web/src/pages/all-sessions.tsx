import { Alert, Badge, Group, Stack, Text } from '@mantine/core'
import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { getRouteApi } from '@tanstack/react-router'
import type { ColumnDef } from '@tanstack/react-table'
import { api, body, type Schema } from '../client'
import { Ask } from '../parts/ask'
import { PageLink } from '../parts/link'
import { doing, Listing, paging } from '../parts/table'
import { PageTitle } from '../parts/title'
import { When } from '../parts/when'

type SignedIn = Schema['SignedIn']

const route = getRouteApi('/all-sessions')

/** Where everybody is signed in, for administrators. */
export function AllSessions() {
  const at = route.useSearch()
  const navigate = route.useNavigate()
  const query = useQuery({
    queryKey: ['all sessions', at],
    queryFn: async () => {
      const { data, response } = await api.GET('/api/2.0/mlflow/permissions/sessions', { params: { query: paging(at) } })
      return { ...data, total: Number(response.headers.get('X-Total-Count') ?? 0) }
    },
    placeholderData: keepPreviousData,
  })
  return (
    <Stack>
      <PageTitle>All sessions</PageTitle>
      <Text>Browsers in which somebody is signed in, by user. Who is signed out can sign in again: to keep somebody out, deactivate the account. Tokens are with each user.</Text>
      {query.data?.partial && <Alert color="yellow" title="This is not all">There are more sessions than are looked through at once. Search for a user to see the rest.</Alert>}
      <Listing label="Sessions" identify={(s) => `${s.username} ${s.pk}`} columns={columns} rows={query.data?.sessions ?? undefined} total={query.data?.total} error={query.error} fetching={query.isFetching}
        at={at} go={(to) => navigate({ search: to })} empty={at.q ? 'Nobody with this in the name is signed in.' : 'Nobody is signed in with a browser.'} />
    </Stack>
  )
}

const columns: ColumnDef<SignedIn>[] = [
  { header: 'User', cell: ({ row: { original: s } }) => <Group gap={6}><PageLink to="/users/$name" params={{ name: s.username }}>{s.username}</PageLink>{s.current && <Badge variant="light">this one</Badge>}</Group> },
  { header: 'Browser', cell: ({ row: { original: s } }) => <span className="name">{s.client || 'unknown'}</span> },
  { header: 'Signed in', cell: ({ row: { original: s } }) => <When at={s.created_at} /> },
  { header: 'Last seen', cell: ({ row: { original: s } }) => <When at={s.last_seen_at} /> },
  { header: 'Provider', cell: ({ row: { original: s } }) => <Text size="sm" className="name">{s.provider_id || 'unknown'}</Text> },
  { id: 'end', header: doing, cell: ({ row: { original: s } }) => !s.current && <Ends of={s} /> },
]

function Ends({ of: { username, pk } }: { of: SignedIn }) {
  const path = { username, session_pk: pk }
  return (
    <Group gap={6} wrap="nowrap">
      <Ask label="End" title="End this session?" confirm="End it" said={`A session of ${username} has ended`}
        run={() => body(api.DELETE('/api/2.0/mlflow/users/{username}/sessions/{session_pk}', { params: { path } }))}>
        {username} has to sign in again in this browser. Tokens go on working.
      </Ask>
      <Ask label="End all" title="End all sessions of this user?" confirm="End them all" said={`All sessions of ${username} have ended`}
        run={() => body(api.DELETE('/api/2.0/mlflow/users/{username}/sessions', { params: { path: { username } } }))}>
        {username} has to sign in again in every browser, and you too if that is you. Tokens go on working.
      </Ask>
    </Group>
  )
}
