import createClient, { type Middleware } from 'openapi-fetch'
import type { components, paths } from './schema'

export type Schema = components['schemas']

/** The path of these pages, with MLflow's prefix and a slash at the end: the server writes it into the page. */
export const home = new URL(document.baseURI).pathname

/** MLflow's prefix, under which all paths of the API are. */
export const prefix = home.slice(0, home.length - '/oidc/ui/'.length)

/** An answer that is no success, with what the server says about it. */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly requestID: string,
  ) {
    super(message)
  }
}

/** Leads to the sign-in page, and back to where one is. A fresh sign-in asks the provider even where one is signed in. */
export function signIn(fresh = false) {
  const to = new URL(`${prefix}/login`, location.origin)
  if (fresh) to.searchParams.set('fresh', '1')
  to.searchParams.set('next', location.pathname + location.search)
  location.assign(to)
}

const refusals: Middleware = {
  onRequest({ request }) {
    const workspace = openWorkspace()
    if (workspace && !request.headers.has('X-MLFLOW-WORKSPACE')) request.headers.set('X-MLFLOW-WORKSPACE', workspace)
    return request
  },
  async onResponse({ response }) {
    if (response.ok) return undefined
    let body: Partial<Schema['Problem']> = {}
    try {
      body = await response.clone().json()
    } catch {
      // a proxy before the gateway answers in its own form
    }
    throw new Refusal(response.status, body.error_code ?? '', body.message ?? response.statusText, response.headers.get('X-Request-Id') ?? '')
  },
}

/** The API of the gateway. Whatever is no success is thrown as a Refusal. */
export const api = createClient<paths>({ baseUrl: location.origin + prefix })
api.use(refusals)

/** Calls MLflow's own API, which the gateway's document does not describe; it is decided there as any other client's call. */
export const mlflow = (path: string, fields: Record<string, unknown>) => api.POST(path as never, { body: fields } as never)

/** Gives the answer's body, for a query function. */
export async function body<T>(call: Promise<{ data?: T }>): Promise<T> {
  return (await call).data as T
}

/** Gives the rows of a page, and how many there are in all, which the server says in a header. */
export async function page<T>(call: Promise<{ data?: T[] | null; response: Response }>) {
  const { data, response } = await call
  return { rows: data ?? [], total: Number(response.headers.get('X-Total-Count') ?? 0) }
}

/** Whether the session has ended. */
export const signedOut = (error: unknown) => error instanceof Refusal && error.status === 401 && !needsFreshSignIn(error)

/** Whether the sign-in is too old for what was asked. */
export const needsFreshSignIn = (error: unknown) => error instanceof Refusal && error.status === 401 && error.message.includes('fresh=1')

/** The workspace that the page is about, where its address names one. */
export const openWorkspace = () => new URLSearchParams(location.search).get('workspace') || undefined

/** The header that names the workspace of a request; an empty one is what is in all of them. */
export const inWorkspace = (workspace?: string) => (workspace ? { 'X-MLFLOW-WORKSPACE': workspace === '*' ? '' : workspace } : undefined)
