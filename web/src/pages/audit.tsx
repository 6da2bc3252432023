import { Anchor, Code, Group, Stack, Text, TextInput } from '@mantine/core'
import { useInfiniteQuery } from '@tanstack/react-query'
import { getRouteApi } from '@tanstack/react-router'
import type { ColumnDef } from '@tanstack/react-table'
import { api, body, prefix, type Schema } from '../client'
import { PageLink } from '../parts/link'
import { More, Rows, useTyped } from '../parts/table'
import { PageTitle } from '../parts/title'
import { When } from '../parts/when'
import type { AuditSearch } from '../router'

const route = getRouteApi('/audit')

const fields: [keyof AuditSearch, string, 'text' | 'date'][] = [
  ['name', 'Event', 'text'], ['by', 'By', 'text'], ['account', 'User', 'text'], ['group', 'Group', 'text'], ['kind', 'Kind', 'text'], ['resource', 'Resource', 'text'], ['request_id', 'Request', 'text'],
  ['since', 'First day', 'date'], ['until', 'Last day', 'date'],
]

function Filter({ label, type, value, tell }: { label: string; type: 'text' | 'date'; value: string; tell: (text: string) => void }) {
  return <TextInput label={label} type={type} size="xs" w={150} {...useTyped(value, tell)} />
}

/** When a day starts in the viewer's zone, or one that many days later, as the API takes it. */
function startOf(day?: string, later = 0) {
  const at = new Date(`${day}T00:00:00`)
  if (!day || Number.isNaN(at.getTime())) return day
  at.setDate(at.getDate() + later)
  return at.toISOString()
}

/** What happened, for administrators. */
export function Audit() {
  const search = route.useSearch()
  const navigate = route.useNavigate()
  const asked = { ...search, since: startOf(search.since), until: startOf(search.until, 1) }
  const query = useInfiniteQuery({
    queryKey: ['audit', search],
    queryFn: async ({ pageParam }) => (await body(api.GET('/api/2.0/mlflow/audit', { params: { query: { ...asked, max_results: 50, page_token: pageParam || undefined } } }))) as Schema['AuditPage'], // as JSON, which is what is not asked otherwise
    initialPageParam: '',
    getNextPageParam: (last) => last.next_page_token || undefined,
  })
  const address = (format: string) => `${prefix}/api/2.0/mlflow/audit?${new URLSearchParams([...Object.entries(asked).flatMap(([name, value]) => (value ? [[name, value]] : [])), ['format', format]])}`
  return (
    <Stack>
      <Group justify="space-between">
        <PageTitle>Audit</PageTitle>
        <Group gap="sm"><Text size="sm">Export what is chosen:</Text><Anchor size="sm" href={address('csv')} download="audit.csv">CSV</Anchor><Anchor size="sm" href={address('jsonl')} download="audit.jsonl">JSON lines</Anchor></Group>
      </Group>
      <Group align="end" gap="sm">
        {fields.map(([field, label, type]) => (
          <Filter key={field} label={label} type={type} value={search[field] ?? ''} tell={(text) => navigate({ search: (now) => ({ ...now, [field]: text || undefined }), replace: true })} />
        ))}
      </Group>
      <Rows label="Events" identify={(e) => String(e.id)} columns={columns} rows={query.data?.pages.flatMap((p) => p.events ?? [])} error={query.error} empty="Nothing that fits has happened." />
      <Group><More query={query} /></Group>
    </Stack>
  )
}

const columns: ColumnDef<Schema['Shown']>[] = [
  { header: 'When', cell: ({ row: { original: e } }) => <When at={e.time} /> },
  { header: 'What', cell: ({ row: { original: e } }) => <>{e.name}{e.count !== undefined && e.count > 1 && ` (${e.count} times)`}</> },
  { header: 'By', cell: ({ row: { original: e } }) => <span className="name">{e.by}</span> },
  { header: 'About', cell: ({ row: { original: e } }) => <span className="name">{[e.account, e.group, e.kind, e.resource, e.route].filter(Boolean).join(' · ')}</span> },
  {
    header: 'Details',
    cell: ({ row: { original: e } }) => (
      <>
        {e.reason && <Text size="sm" className="name">{e.reason}</Text>}
        {(e.before !== undefined || e.after !== undefined) && (
          <details><summary>before and after</summary><Code block className="name">{JSON.stringify({ before: e.before, after: e.after }, null, 1)}</Code></details>
        )}
      </>
    ),
  },
  { header: 'Request', cell: ({ row: { original: e } }) => e.request_id && <PageLink size="sm" to="/audit" search={{ request_id: e.request_id }}>{e.request_id.slice(0, 8)}</PageLink> },
]
