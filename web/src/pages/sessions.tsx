import { Badge, Button, Group, Stack, Text } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import type { ColumnDef } from '@tanstack/react-table'
import { api, body, type Schema } from '../client'
import { Ask, useChange } from '../parts/ask'
import { doing, Rows } from '../parts/table'
import { PageTitle } from '../parts/title'
import { When } from '../parts/when'

type Session = Schema['SessionRow']

/** Where one is signed in. */
export function MySessions() {
  const query = useQuery({ queryKey: ['sessions'], queryFn: () => body(api.GET('/api/2.0/mlflow/users/current/sessions')) })
  const rows = query.data?.sessions ?? undefined
  return (
    <Stack>
      <Group justify="space-between">
        <PageTitle>My sessions</PageTitle>
        {rows && rows.length > 1 && (
          <Ask label="Sign out everywhere else" title="Sign out everywhere else?" confirm="Sign out" said="You are signed out everywhere else"
            run={() => body(api.DELETE('/api/2.0/mlflow/users/current/sessions'))}>
            All other browsers in which you are signed in have to sign in again. Tokens go on working.
          </Ask>
        )}
      </Group>
      <Text>Browsers in which you are signed in. End what you do not know, and tell an administrator.</Text>
      <Rows label="My sessions" identify={(s) => String(s.pk)} columns={columns} rows={rows} error={query.error} empty="You came with a token: there is no session." />
    </Stack>
  )
}

const columns: ColumnDef<Session>[] = [
  { header: 'Browser', cell: ({ row: { original: s } }) => <><span className="name">{s.client || 'unknown'}</span> {s.current && <Badge variant="light">this one</Badge>}</> },
  { header: 'Signed in', cell: ({ row: { original: s } }) => <When at={s.created_at} /> },
  { header: 'Last seen', cell: ({ row: { original: s } }) => <When at={s.last_seen_at} /> },
  { header: 'Ends', cell: ({ row: { original: s } }) => <When at={s.expires_at} /> },
  { id: 'end', header: doing, cell: ({ row: { original: s } }) => !s.current && <End session={s} /> },
]

function End({ session }: { session: Session }) {
  const end = useChange({
    run: () => body(api.DELETE('/api/2.0/mlflow/users/current/sessions/{session_pk}', { params: { path: { session_pk: session.pk } } })),
    said: () => 'The session has ended',
  })
  return <Button size="compact-sm" variant="light" color="red" loading={end.isPending} onClick={() => end.mutate()}>End</Button>
}
