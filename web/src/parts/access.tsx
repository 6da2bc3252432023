import { Alert, Stack, Text } from '@mantine/core'
import { infiniteQueryOptions } from '@tanstack/react-query'
import type { ColumnDef } from '@tanstack/react-table'
import { useMemo } from 'react'
import { api, body, type Schema } from '../client'
import { useKind } from '../facts'
import { Explained, Level, On, Source } from './level'
import { PageLink } from './link'
import { Rows } from './table'
import { When } from './when'

type Access = Schema['Access']
type Considered = Schema['Considered']

/** What somebody can do, page after page; without a name it is oneself. */
export const what = (user: string, kind?: string) =>
  infiniteQueryOptions({
    queryKey: ['what', user, kind],
    queryFn: ({ pageParam }) => body(api.GET('/api/2.0/mlflow/permissions/what', { params: { query: { user: user || undefined, kind, page_token: pageParam || undefined, max_results: 50 } } })),
    initialPageParam: '',
    getNextPageParam: (last) => last.next_page_token || undefined,
  })

/** Who can do anything with a resource, page after page. */
export const who = (kind: string, id: string) =>
  infiniteQueryOptions({
    queryKey: ['who', kind, id],
    queryFn: ({ pageParam }) => body(api.GET('/api/2.0/mlflow/permissions/who', { params: { query: { kind, id, page_token: pageParam || undefined, max_results: 50 } } })),
    initialPageParam: '',
    getNextPageParam: (last) => last.next_page_token || undefined,
  })

/** What the answers could not say, as MLflow was silent. */
export function Remark({ pages }: { pages?: { remark?: string }[] }) {
  const remark = pages?.find((p) => p.remark)?.remark
  return remark ? <Alert color="yellow" title="This is not all">{remark}</Alert> : null
}

/** What is given on more than one resource, which the first page says. */
export const general = (pages?: { general: Considered[] | null }[]) => pages?.[0]?.general ?? []

export function KindTitle({ kind }: { kind: string }) {
  return <>{useKind(kind)?.title ?? kind}</>
}

/** A table of effective levels, each of which says why. */
export function Access({ rows, general, users, empty }: { rows?: Access[]; general?: Considered[]; users?: boolean; empty: string }) {
  const columns = useMemo<ColumnDef<Access>[]>(() => [
    ...(users
      ? [{ header: 'User', cell: ({ row: { original: a } }) => <span className="name">{a.user}</span> } satisfies ColumnDef<Access>]
      : [
          { header: 'Kind', cell: ({ row: { original: a } }) => <KindTitle kind={a.kind} /> } satisfies ColumnDef<Access>,
          { header: 'Resource', cell: ({ row: { original: a } }) => <PageLink to="/resources/$kind/$id" params={{ kind: a.kind, id: a.id }}>{a.name || a.id}</PageLink> } satisfies ColumnDef<Access>,
        ]),
    { header: 'Level', cell: ({ row: { original: a } }) => <Explained level={a.permission || 'unknown'} user={a.user} kind={a.kind} id={a.id} /> },
    { header: 'By', cell: ({ row: { original: a } }) => (a.via ? <Source of={a.via} /> : a.reason) },
    { header: 'Until', cell: ({ row: { original: a } }) => <When at={a.via?.expires_at} none="no end" /> },
  ], [users])
  return (
    <Stack>
      {(general ?? []).length > 0 && (
        <ul>
          {(general ?? []).map((one, i) => (
            <li key={i}><Text size="sm"><Level level={one.permission} /> on <On of={one} />, by <Source of={one} /></Text></li>
          ))}
        </ul>
      )}
      {!(rows?.length === 0 && (general ?? []).length > 0) && <Rows label="Access" identify={(a) => `${a.user} ${a.kind} ${a.id}`} columns={columns} rows={rows} empty={empty} />}
    </Stack>
  )
}
