/** The address of this script: the server puts into it where the gateway is, and what is to be done. */
const own = new URL(import.meta.url)

/** MLflow's prefix, under which all is. */
export const prefix = own.pathname.slice(0, own.pathname.indexOf('/oidc/ui/'))

/** Tells whether the server wants something done. */
export const wanted = (what: 'menu' | 'again' | 'administer') => own.searchParams.has(what)

/** The address of a page of permissions. */
export const pages = (page: string) => `${prefix}/oidc/ui/${page}`

const asIs = window.fetch.bind(window) // before it is watched

async function json(path: string, query: Record<string, string> = {}, workspace = ''): Promise<{ status: number; body: Record<string, unknown> }> {
  const to = new URL(prefix + path, location.origin)
  to.search = new URLSearchParams(query).toString()
  const answer = await asIs(to, { headers: workspace ? { 'X-MLFLOW-WORKSPACE': workspace } : {} })
  try {
    return { status: answer.status, body: (await answer.json()) as Record<string, unknown> }
  } catch {
    return { status: answer.status, body: {} }
  }
}

const text = (value: unknown) => (typeof value === 'string' ? value : '')

/** Who is signed in; nothing where nobody is, or where the server does not say. */
export async function me() {
  const { status, body } = await json('/api/2.0/mlflow/users/current')
  const username = text(body.username)
  return status === 200 && username ? { username, name: text(body.display_name).trim() || username } : undefined
}

/** Tells whether the session has ended. What could not be asked has not. */
export async function ended() {
  try {
    const { status, body } = await json('/auth/status')
    return status === 200 && body.authenticated === false
  } catch {
    return false
  }
}

/** Tells whether what is open may be read. */
export async function readable(kind: string, id: string, workspace: string) {
  const { status } = await json('/api/2.0/mlflow/permissions/explain', { kind, id }, workspace)
  return status !== 404
}

/** The name of an endpoint, which permissions hold in place of the id that MLflow's address has; nothing where it may not be read. */
export async function endpointName(id: string, workspace: string) {
  const { body } = await json('/ajax-api/3.0/mlflow/gateway/endpoints/get', { endpoint_id: id }, workspace)
  return text((body.endpoint as Record<string, unknown> | undefined)?.name) || undefined
}

/** The sign-in page that leads back to where one is. What is too long for the way there is cut to the page without its filters. */
export function signInAddress(address: Location | URL) {
  let next = address.pathname + address.search + address.hash
  if (new TextEncoder().encode(next).length > 2000) next = address.pathname + address.hash.split('?')[0]
  return `${prefix}/login?${new URLSearchParams({ next })}`
}
