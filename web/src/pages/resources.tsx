import { Alert, Stack, Text } from '@mantine/core'
import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { getRouteApi } from '@tanstack/react-router'
import type { ColumnDef } from '@tanstack/react-table'
import { useMemo } from 'react'
import { api, page } from '../client'
import { type Kind, plural, useKind } from '../facts'
import { PageLink } from '../parts/link'
import { GiveOnSeveral } from '../parts/several'
import { Listing, paging, useChoice } from '../parts/table'
import { PageTitle } from '../parts/title'
import { Nowhere } from '../parts/trouble'
import { InWorkspace } from '../parts/workspace'
import { ofKind } from '../permissions'

const route = getRouteApi('/resources/$kind')

/** The resources of one kind whose permissions one may change. */
export function Resources() {
  const kind = useKind(route.useParams().kind)
  if (!kind) return <Nowhere />
  return (
    <Stack>
      <PageTitle>{plural(kind.title)}</PageTitle>
      <InWorkspace kind={kind} listed />
      {kind.parent ? <Inner kind={kind} /> : <Managed key={kind.name} kind={kind} />}
    </Stack>
  )
}

function Inner({ kind }: { kind: Kind }) {
  const parent = useKind(kind.parent!)
  return (
    <Alert variant="light" color="gray">
      <Text>A {kind.title} is part of its {parent?.title ?? kind.parent}: open <PageLink to="/resources/$kind" params={{ kind: kind.parent! }} underline="always">the {parent?.title ?? kind.parent}</PageLink> that it is in.</Text>
    </Alert>
  )
}

type Row = { name: string; id?: string }

function Managed({ kind }: { kind: Kind }) {
  const at = route.useSearch()
  const navigate = route.useNavigate()
  const query = useQuery({
    queryKey: ['resources', kind.name, at],
    queryFn: async () => {
      const { rows, total } = await page(api.GET(ofKind('/api/2.0/mlflow/permissions/experiments', kind), { params: { query: paging(at) } }))
      return { rows: rows.map(named), total }
    },
    placeholderData: keepPreviousData,
  })
  const columns = useMemo<ColumnDef<Row>[]>(() => [
    { header: 'Name', cell: ({ row: { original: r } }) => <PageLink to="/resources/$kind/$id" params={{ kind: kind.name, id: r.id ?? r.name }}>{r.name}</PageLink> },
    ...(kind.by_id ? [{ header: 'Id', accessorKey: 'id' }] : []),
  ], [kind])
  const choice = useChoice<Row>((r) => r.name, kind.name, at.q)
  return (
    <Listing label={plural(kind.title)} identify={(r) => r.id ?? r.name} columns={columns} rows={query.data?.rows} total={query.data?.total} error={query.error} fetching={query.isFetching}
      choice={choice} chosen={<GiveOnSeveral choice={choice} kind={kind} id={(r) => r.id ?? r.name} />} at={at} go={(to) => navigate({ search: to, replace: true })}
      empty={at.q ? 'Nothing has this in its name.' : `There is no ${kind.title} whose permissions you may change: that needs MANAGE.`} />
  )
}

/** What each kind's rows have: a name, and an id where permissions hold one. */
function named(row: Record<string, unknown>): Row {
  return { name: String(row.name ?? ''), id: row.id === undefined ? undefined : String(row.id) }
}
