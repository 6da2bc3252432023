import { api, body, inWorkspace } from './client'
import type { Kind } from './facts'

/** Who holds a permission. */
export type Principal = { user: string } | { group: string }

export const nameOf = (p: Principal) => ('user' in p ? p.user : p.group)

// The paths of all kinds have one form, and the document has each written out. These are its words for one kind; the segment of the kind
// at hand is put in its place when the address is made.
const grantPath = { users: '/api/2.0/mlflow/permissions/users/{principal}/experiments/{resource}', groups: '/api/2.0/mlflow/permissions/groups/{principal}/experiments/{resource}' } as const
const patternsPath = { users: '/api/2.0/mlflow/permissions/users/{principal}/experiment-patterns', groups: '/api/2.0/mlflow/permissions/groups/{principal}/experiment-patterns' } as const
const patternPath = { users: `${patternsPath.users}/{id}`, groups: `${patternsPath.groups}/{id}` } as const

const side = (p: Principal) => ('user' in p ? 'users' : 'groups')

/** Puts the segments of a kind into a path that is written for experiments. */
export function ofKind<P extends string>(path: P, kind: Kind, resource?: string): P {
  const [parent, ...name] = (resource ?? '').split('/')
  return path
    .replace('/experiment-patterns', `/${kind.patterns_segment}`)
    .replace('/experiments', `/${kind.segment}`)
    .replace('{resource}', kind.parent ? `${encodeURIComponent(parent ?? '')}/${encodeURIComponent(name.join('/'))}` : '{resource}') as P
}

/** What is given: a level, and until when; null is without an end. */
export type Given = { permission: string; expires_at?: string | null }

export function give(p: Principal, kind: Kind, resource: string, given: Given, workspace?: string) {
  const path = ofKind(grantPath[side(p)], kind, resource)
  return body(api.POST(path, { params: { path: { principal: nameOf(p), resource } }, body: given, headers: inWorkspace(workspace) }))
}

export function change(p: Principal, kind: Kind, resource: string, given: Given, workspace?: string) {
  const path = ofKind(grantPath[side(p)], kind, resource)
  return body(api.PATCH(path, { params: { path: { principal: nameOf(p), resource } }, body: given, headers: inWorkspace(workspace) }))
}

export function take(p: Principal, kind: Kind, resource: string, workspace?: string) {
  const path = ofKind(grantPath[side(p)], kind, resource)
  return body(api.DELETE(path, { params: { path: { principal: nameOf(p), resource } }, headers: inWorkspace(workspace) }))
}

/** A pattern, as it is given. */
export type Pattern = Given & { regex: string; priority: number }

export function addPattern(p: Principal, kind: Kind, pattern: Pattern, workspace?: string) {
  return body(api.POST(ofKind(patternsPath[side(p)], kind), { params: { path: { principal: nameOf(p) } }, body: pattern, headers: inWorkspace(workspace) }))
}

export function changePattern(p: Principal, kind: Kind, id: number, pattern: Pattern) {
  return body(api.PATCH(ofKind(patternPath[side(p)], kind), { params: { path: { principal: nameOf(p), id: String(id) } }, body: pattern }))
}

export function deletePattern(p: Principal, kind: Kind, id: number) {
  return body(api.DELETE(ofKind(patternPath[side(p)], kind), { params: { path: { principal: nameOf(p), id: String(id) } } }))
}
