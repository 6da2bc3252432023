import { hashKey, queryOptions, useSuspenseQuery } from '@tanstack/react-query'
import { api, body, home, inWorkspace, Refusal, type Schema } from './client'

export type Kind = Schema['KindRow']

// What follows is the same in all workspaces, and is there too where one may not be in the workspace that the address names.
const anywhere = { queryKeyHashFn: hashKey, staleTime: Infinity }

/** How this server is set up. */
export type Server = { provider: string; authenticated: boolean; workspaces_enabled: boolean; token_lifetime_days: number }

export const server = queryOptions({
  ...anywhere,
  queryKey: ['server'],
  queryFn: async (): Promise<Server> => {
    const answer = await fetch(`${home}config.json`)
    if (!answer.ok) throw new Refusal(answer.status, '', answer.statusText || 'the server failed', '')
    return answer.json()
  },
})

export const me = queryOptions({
  ...anywhere,
  queryKey: ['me'],
  queryFn: () => body(api.GET('/api/2.0/mlflow/users/current', { headers: inWorkspace('*') })),
  staleTime: 60_000,
})

/** The table of kinds, from which the pages of resources are drawn. */
export const table = queryOptions({
  ...anywhere,
  queryKey: ['kinds'],
  queryFn: async () => {
    const all = await body(api.GET('/api/2.0/mlflow/permissions/kinds', { headers: inWorkspace('*') }))
    return { kinds: all.kinds ?? [], levels: all.levels ?? [] }
  },
})

export const useMe = () => useSuspenseQuery(me).data
export const useServer = () => useSuspenseQuery(server).data
export const useTable = () => useSuspenseQuery(table).data

/** Finds a kind by its name; one that this page has not heard of is shown by its name. */
export function useKind(name: string): Kind | undefined {
  return useTable().kinds.find((k) => k.name === name)
}

/** The plural of a kind's title, with a capital letter. */
export function plural(title: string) {
  return title.charAt(0).toUpperCase() + title.slice(1) + 's'
}
