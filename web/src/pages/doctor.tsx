import { Button, Group, Stack, Text } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import type { ColumnDef } from '@tanstack/react-table'
import { api, body, type Schema } from '../client'
import { State } from '../parts/state'
import { Rows } from '../parts/table'
import { PageTitle } from '../parts/title'
import { When } from '../parts/when'

type Finding = Schema['Finding']

/** What the gateway needs, and what of it is not well. */
export function Doctor() {
  const query = useQuery({ queryKey: ['doctor'], queryFn: () => body(api.GET('/api/2.0/mlflow/permissions/doctor')), refetchOnWindowFocus: false })
  const all = query.data?.findings ?? undefined
  const count = (state: Finding['state']) => all?.filter((f) => f.state === state).length ?? 0
  return (
    <Stack>
      <Group justify="space-between">
        <PageTitle>Doctor</PageTitle>
        <Button size="compact-sm" variant="default" loading={query.isFetching} onClick={() => query.refetch()}>Look again</Button>
      </Group>
      <Text>What this server needs, and what to do where it does not work. The command <code>mlflow-oidc-auth doctor</code> says the same, also where the server does not start.</Text>
      <Text size="sm" c="dimmed" role="status" mih={22}>
        {all && !query.isFetching && <>{summary(count('fail'), count('look'))} Looked <When at={query.data?.looked_at} />; a look is kept for ten seconds.</>}
      </Text>
      <Rows label="Findings" identify={(f) => `${f.what} ${f.says}`} columns={columns} rows={all} error={query.error} empty="Nothing was looked at." />
    </Stack>
  )
}

function summary(fail: number, look: number) {
  if (fail > 0) return `${fail} of these ${fail === 1 ? 'does' : 'do'} not work.`
  return look > 0 ? `All of it works; ${look} to look at.` : 'All is well.'
}

const columns: ColumnDef<Finding>[] = [
  { header: 'State', cell: ({ row: { original: f } }) => <State of={f} /> },
  { header: 'What', cell: ({ row: { original: f } }) => f.what },
  { header: 'Finding', cell: ({ row: { original: f } }) => <><Text size="sm" className="name">{f.says}</Text>{f.mend && <Text size="sm" className="name"><strong>What to do:</strong> {f.mend}</Text>}</> },
]
