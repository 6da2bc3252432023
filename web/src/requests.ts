import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query'
import { api, body, type Schema } from './client'
import type { Given } from './permissions'

export type AccessRequest = Schema['AccessRequest']

const at = '/api/2.0/mlflow/permissions/requests'
const page = 25

/** The open requests that one may decide on, page after page: all, or what is about one resource. */
export const managed = (of?: { kind: string; id: string }) =>
  infiniteQueryOptions({
    queryKey: ['requests', of],
    queryFn: ({ pageParam }) => body(api.GET(at, { params: { query: { ...of, page_token: pageParam || undefined, max_results: page } } })),
    initialPageParam: '',
    getNextPageParam: (last) => last.next_page_token || undefined,
  })

/** How many requests wait for oneself. */
export const waiting = queryOptions({
  queryKey: ['requests', 'waiting'],
  queryFn: async () => {
    const { total, more } = await body(api.GET(at, { params: { query: { max_results: 1 } } }))
    return { total: total ?? 0, more }
  },
  staleTime: 60_000,
  refetchInterval: 120_000,
})

/** What one has asked for, page after page. */
export const mine = infiniteQueryOptions({
  queryKey: ['requests', 'mine'],
  queryFn: ({ pageParam }) => body(api.GET(`${at}/mine`, { params: { query: { limit: page, offset: pageParam } } })),
  initialPageParam: 0,
  getNextPageParam: (last, all) => (all.length * page < last.total ? all.length * page : undefined),
})

/** What one has asked for on one resource. */
export const mineOn = (kind: string, id: string) =>
  queryOptions({
    queryKey: ['requests', 'mine', kind, id],
    queryFn: async () => (await body(api.GET(`${at}/mine`, { params: { query: { kind, id, limit: 1 } } }))).requests?.[0] ?? null,
  })

export const ask = (wanted: { kind: string; id: string; reason: string } & Given) => body(api.POST(at, { body: wanted }))

/** Asks anew for what a request was about. */
export const askAgain = (r: AccessRequest) =>
  ask({ kind: r.kind, id: r.resource, permission: r.permission, reason: r.reason, ...(r.expires_at ? { expires_at: r.expires_at } : {}) })

const of = (r: AccessRequest) => ({ path: { request_id: r.id } })

export const withdraw = (r: AccessRequest) => body(api.DELETE(`${at}/{request_id}`, { params: of(r) }))
export const approve = (r: AccessRequest, given: Given) => body(api.POST(`${at}/{request_id}/approve`, { params: of(r), body: given }))
export const refuse = (r: AccessRequest, answer: string) => body(api.POST(`${at}/{request_id}/refuse`, { params: of(r), body: { answer } }))
export const reopen = (r: AccessRequest) => body(api.POST(`${at}/{request_id}/reopen`, { params: of(r) }))
