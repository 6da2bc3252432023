import { Alert, Stack, Text } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import type { ColumnDef } from '@tanstack/react-table'
import { api, body, type Schema } from '../client'
import { Level, On } from './level'
import { Rows } from './table'
import { Trouble } from './trouble'
import { When } from './when'

type Speaking = Schema['SpeakingPattern']

/** The patterns that speak of a resource, in the order in which they are asked. */
export function SpeakingPatterns({ kind, id }: { kind: string; id: string }) {
  const query = useQuery({
    queryKey: ['speaking', kind, id],
    queryFn: () => body(api.GET('/api/2.0/mlflow/permissions/patterns', { params: { query: { kind, id } } })),
  })
  if (query.error) return <Trouble error={query.error} retry={() => query.refetch()} />
  const found = query.data
  return (
    <Stack>
      <Text size="sm">These are asked in this order, after what is given on it directly. Of those that somebody has, the first decides.</Text>
      {found?.remark && <Alert color="yellow" title="This is not all">{found.remark}</Alert>}
      <Rows label="Patterns" identify={(p) => `${p.grant.source} ${p.grant.id ?? ''} ${p.user ?? ''} ${p.grant.group ?? ''} ${p.grant.permission}`} columns={columns} rows={found?.patterns ?? undefined} empty="No pattern speaks of this, and no role of all that there is of its kind." />
      {found && found.total > (found.patterns ?? []).length && <Text size="sm" role="status">The first {(found.patterns ?? []).length} of {found.total.toLocaleString()}.</Text>}
    </Stack>
  )
}

const columns: ColumnDef<Speaking>[] = [
  { header: 'Whose', cell: ({ row: { original: p } }) => <Whose of={p} /> },
  { header: 'On', cell: ({ row: { original: p } }) => <On of={p.grant} /> },
  { header: 'Level', cell: ({ row: { original: p } }) => <Level level={p.grant.permission} /> },
  { header: 'Until', cell: ({ row: { original: p } }) => <When at={p.grant.expires_at} none="no end" /> },
  { header: 'Decides for', cell: ({ row: { original: p } }) => <Decides of={p} /> },
]

function Whose({ of }: { of: Speaking }) {
  if (of.user) return <span className="name">{of.user}</span>
  if (of.grant.group) return <>the group <span className="name">{of.grant.group}</span></>
  return <>the role <span className="name">{of.grant.role}</span></>
}

function Decides({ of }: { of: Speaking }) {
  const names = of.decides_for ?? []
  if (of.decides === 0) return <Text span size="sm" c="dimmed">nobody</Text>
  return <Text span size="sm" className="name">{names.join(', ')}{of.decides > names.length && ` and ${(of.decides - names.length).toLocaleString()} more`}</Text>
}
