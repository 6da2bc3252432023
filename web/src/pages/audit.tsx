import { Anchor, Code, Group, Stack, Text, TextInput, Title } from '@mantine/core'
import { useDebouncedCallback } from '@mantine/hooks'
import { useInfiniteQuery } from '@tanstack/react-query'
import { getRouteApi } from '@tanstack/react-router'
import type { ColumnDef } from '@tanstack/react-table'
import { api, body, prefix, type Schema } from '../client'
import { PageLink } from '../parts/link'
import { More, Rows } from '../parts/table'
import { When } from '../parts/when'
import type { AuditSearch } from '../router'

const route = getRouteApi('/audit')

const fields: [keyof AuditSearch, string][] = [
  ['name', 'Event'], ['by', 'By'], ['account', 'User'], ['group', 'Group'], ['kind', 'Kind'], ['resource', 'Resource'], ['request_id', 'Request'],
]

/** What happened, for administrators. */
export function Audit() {
  const search = route.useSearch()
  const navigate = route.useNavigate()
  const go = useDebouncedCallback((to: AuditSearch) => navigate({ search: to, replace: true }), 300)
  const query = useInfiniteQuery({
    queryKey: ['audit', search],
    queryFn: async ({ pageParam }) => (await body(api.GET('/api/2.0/mlflow/audit', { params: { query: { ...search, max_results: 50, page_token: pageParam || undefined } } }))) as Schema['AuditPage'], // as JSON, which is what is not asked otherwise
    initialPageParam: '',
    getNextPageParam: (last) => last.next_page_token || undefined,
  })
  const address = (format: string) => `${prefix}/api/2.0/mlflow/audit?${new URLSearchParams([...Object.entries(search).filter(([, value]) => value), ['format', format]])}`
  return (
    <Stack>
      <Group justify="space-between">
        <Title order={2}>Audit</Title>
        <Group gap="sm"><Text size="sm">Export what is chosen:</Text><Anchor size="sm" href={address('csv')} download="audit.csv">CSV</Anchor><Anchor size="sm" href={address('jsonl')} download="audit.jsonl">JSON lines</Anchor></Group>
      </Group>
      <Group align="end" gap="sm" key={search.request_id}>
        {fields.map(([field, label]) => (
          <TextInput key={field} label={label} size="xs" w={150} defaultValue={search[field] ?? ''} onChange={(e) => go({ ...search, [field]: e.currentTarget.value || undefined })} />
        ))}
        <TextInput type="date" label="From" size="xs" defaultValue={search.since ?? ''} onChange={(e) => go({ ...search, since: e.currentTarget.value || undefined })} />
        <TextInput type="date" label="Before" size="xs" defaultValue={search.until ?? ''} onChange={(e) => go({ ...search, until: e.currentTarget.value || undefined })} />
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
