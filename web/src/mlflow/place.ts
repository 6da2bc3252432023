/** What is open in MLflow's UI, as permissions name it. */
export type Place = {
  kind: string
  id: string
  /** What its page is called in our menu. */
  title: string
  workspace: string
  /** The parts of MLflow's path, by which requests for what is open are known. */
  parts: string[]
}

const decoded = (part: string) => {
  try {
    return decodeURIComponent(part)
  } catch {
    return ''
  }
}

/** MLflow's own path, which it keeps in the fragment, and its query. */
function within(address: Location | URL) {
  const [path = '', query = ''] = address.hash.replace(/^#/, '').split(/\?(.*)/s)
  return { parts: path.split('/').filter(Boolean).map(decoded), query: new URLSearchParams(query) }
}

/** The workspace that is open; empty where the address names none. */
export const workspaceOf = (address: Location | URL) =>
  within(address).query.get('workspace') || new URLSearchParams(address.search).get('workspace') || ''

/** Finds what is open; nothing for lists and pages of no one thing. */
export function placeOf(address: Location | URL): Place | undefined {
  const { parts } = within(address)
  const [area, first = '', second, third = ''] = parts
  const workspace = workspaceOf(address)
  const of = (kind: string, id: string, title: string) => (id ? { kind, id, title, workspace, parts: parts.slice(1) } : undefined)
  switch (area) {
    case 'experiments':
      if (!/^\d{1,30}$/.test(first)) return undefined
      if (second === 'prompts' && third) return of('prompt', third, 'this prompt')
      return of('experiment', first, 'this experiment') // its runs, traces and the rest are governed by it
    case 'models':
      return of('registered_model', first, 'this model') // its versions too
    case 'prompts':
      return of('prompt', first, 'this prompt')
    case 'mcp-registry':
      return of('mcp_server', first, 'this MCP server')
    case 'gateway':
      return first === 'endpoints' && second !== 'create' ? of('gateway_endpoint', second ?? '', 'this endpoint') : undefined
  }
  return undefined
}

/** Where MLflow's pages of accounts have ours in their place; nothing for other pages. */
export function administered(address: Location | URL): string | undefined {
  const [area, what, who = ''] = within(address).parts
  if (area === 'account') return ''
  if (area !== 'admin') return undefined
  switch (what) {
    case undefined:
      return 'users'
    case 'users':
      return who ? `users/${encodeURIComponent(who)}` : 'users'
    case 'ws':
      return 'resources/workspace'
  }
  return ''
}

/** Calls back whenever MLflow's UI goes to another page of its own. It says so to nobody: its router changes the history. */
export function onMove(moved: () => void) {
  for (const name of ['pushState', 'replaceState'] as const) {
    const change = history[name]
    history[name] = function (this: History, ...how: Parameters<History['pushState']>) {
      change.apply(this, how)
      moved()
    }
  }
  addEventListener('popstate', moved)
  addEventListener('hashchange', moved)
}
