import type { QueryClient } from '@tanstack/react-query'
import { createRootRouteWithContext, createRoute, createRouter, lazyRouteComponent, retainSearchParams } from '@tanstack/react-router'
import { home } from './client'
import { me, server, table } from './facts'
import { Nowhere, Trouble } from './parts/trouble'
import { type Place, place } from './parts/table'
import { Shell } from './shell'

const text = (value: unknown) => (typeof value === 'string' && value !== '' ? value : undefined)

const root = createRootRouteWithContext<{ queries: QueryClient }>()({
  component: Shell,
  validateSearch: (s: Record<string, unknown>): { workspace?: string } => ({ workspace: text(s.workspace) }),
  search: { middlewares: [retainSearchParams(['workspace'])] },
  notFoundComponent: Nowhere,
  errorComponent: ({ error, reset }) => <Trouble error={error} retry={reset} />,
  // what every page shows comes at once, and not one after the other
  loader: ({ context: { queries } }) => Promise.all([queries.ensureQueryData(me), queries.ensureQueryData(table), queries.ensureQueryData(server)]),
})

const tabbed = (search: Record<string, unknown>): Place & { tab?: string } => ({ ...place(search), tab: text(search.tab) })

export type AuditSearch = { name?: string; by?: string; account?: string; group?: string; kind?: string; resource?: string; request_id?: string; since?: string; until?: string }

const routes = [
  createRoute({ getParentRoute: () => root, path: '/', validateSearch: (s): { kind?: string } => ({ kind: text(s.kind) }), component: lazyRouteComponent(() => import('./pages/home'), 'Home') }),
  createRoute({ getParentRoute: () => root, path: '/tokens', component: lazyRouteComponent(() => import('./pages/tokens'), 'MyTokens') }),
  createRoute({ getParentRoute: () => root, path: '/sessions', component: lazyRouteComponent(() => import('./pages/sessions'), 'MySessions') }),
  createRoute({ getParentRoute: () => root, path: '/requests', validateSearch: (s): { tab?: string } => ({ tab: text(s.tab) }), component: lazyRouteComponent(() => import('./pages/requests'), 'Requests') }),
  createRoute({ getParentRoute: () => root, path: '/ask', validateSearch: (s): { kind?: string; id?: string; level?: string } => ({ kind: text(s.kind), id: text(s.id), level: text(s.level) }), component: lazyRouteComponent(() => import('./pages/asking'), 'AskForAccess') }),
  createRoute({ getParentRoute: () => root, path: '/setup', component: lazyRouteComponent(() => import('./pages/setup'), 'Setup') }),
  createRoute({ getParentRoute: () => root, path: '/resources/$kind', validateSearch: place, component: lazyRouteComponent(() => import('./pages/resources'), 'Resources') }),
  createRoute({ getParentRoute: () => root, path: '/resources/$kind/$id', validateSearch: tabbed, component: lazyRouteComponent(() => import('./pages/resource'), 'Resource') }),
  createRoute({ getParentRoute: () => root, path: '/users', validateSearch: place, component: lazyRouteComponent(() => import('./pages/accounts'), 'Users') }),
  createRoute({ getParentRoute: () => root, path: '/services', validateSearch: place, component: lazyRouteComponent(() => import('./pages/accounts'), 'Services') }),
  createRoute({ getParentRoute: () => root, path: '/users/$name', validateSearch: tabbed, component: lazyRouteComponent(() => import('./pages/principal'), 'UserPage') }),
  createRoute({ getParentRoute: () => root, path: '/groups', validateSearch: place, component: lazyRouteComponent(() => import('./pages/groups'), 'Groups') }),
  createRoute({ getParentRoute: () => root, path: '/groups/$name', validateSearch: tabbed, component: lazyRouteComponent(() => import('./pages/principal'), 'GroupPage') }),
  createRoute({ getParentRoute: () => root, path: '/roles', validateSearch: place, component: lazyRouteComponent(() => import('./pages/roles'), 'Roles') }),
  createRoute({ getParentRoute: () => root, path: '/roles/$id', validateSearch: tabbed, component: lazyRouteComponent(() => import('./pages/role'), 'RolePage') }),
  createRoute({ getParentRoute: () => root, path: '/trash', validateSearch: (s): Place & { tab?: string; age?: string } => ({ ...tabbed(s), age: text(s.age) }), component: lazyRouteComponent(() => import('./pages/trash'), 'Trash') }),
  createRoute({ getParentRoute: () => root, path: '/webhooks', validateSearch: place, component: lazyRouteComponent(() => import('./pages/webhooks'), 'Webhooks') }),
  createRoute({ getParentRoute: () => root, path: '/rules', component: lazyRouteComponent(() => import('./pages/rules'), 'Rules') }),
  createRoute({ getParentRoute: () => root, path: '/all-sessions', validateSearch: place, component: lazyRouteComponent(() => import('./pages/all-sessions'), 'AllSessions') }),
  createRoute({ getParentRoute: () => root, path: '/providers', validateSearch: (s): { trial?: string } => ({ trial: text(s.trial) }), component: lazyRouteComponent(() => import('./pages/providers'), 'Providers') }),
  createRoute({ getParentRoute: () => root, path: '/doctor', component: lazyRouteComponent(() => import('./pages/doctor'), 'Doctor') }),
  createRoute({
    getParentRoute: () => root,
    path: '/audit',
    validateSearch: (s): AuditSearch => ({
      name: text(s.name), by: text(s.by), account: text(s.account), group: text(s.group), kind: text(s.kind),
      resource: text(s.resource), request_id: text(s.request_id), since: text(s.since), until: text(s.until),
    }),
    component: lazyRouteComponent(() => import('./pages/audit'), 'Audit'),
  }),
]

function written(search: Record<string, unknown>) {
  const given = Object.entries(search).filter(([, value]) => value !== undefined)
  return given.length ? `?${new URLSearchParams(given.map(([name, value]) => [name, String(value)]))}` : ''
}

export const router = createRouter({
  routeTree: root.addChildren(routes),
  basepath: home,
  // as they are written: the router reads numbers and more into them else
  parseSearch: (text) => Object.fromEntries(new URLSearchParams(text)),
  stringifySearch: written,
  context: { queries: undefined! },
  defaultPreload: 'intent',
  scrollRestoration: true,
})

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router
  }
}
