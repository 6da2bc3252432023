import { api, body, inWorkspace, type Schema } from './client'
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

export type BulkChange = Schema['BulkChange']
export type Outcome = Schema['BulkOutcome']

/** How many changes the server makes together at most. */
export const together = 500

/** Makes several changes, all of them or none. */
export async function bulk(changes: BulkChange[]): Promise<Outcome[]> {
  return (await body(api.POST('/api/2.0/mlflow/permissions/bulk', { body: { changes } }))).outcomes ?? []
}

/** The changes that put back what several have changed. */
export function backwards(changes: BulkChange[], outcomes: Outcome[]): BulkChange[] {
  return changes.map((c, i): BulkChange => {
    const { did, before } = outcomes[i]!
    const of = { user: c.user, group: c.group, kind: c.kind, resource: c.resource, workspace: c.workspace }
    if (!before) return { ...of, do: 'take' }
    const was = { ...of, regex: before.regex, priority: before.priority, permission: before.permission }
    if (did === 'changed') return { ...was, do: 'change', id: c.id, expires_at: before.expires_at ?? null }
    return { ...was, do: 'give', workspace: before.workspace, ...(before.expires_at ? { expires_at: before.expires_at } : {}) }
  })
}

/** Whether what several changes have changed can be put back: what a rule gave would not be the rule's again. */
export const undoable = (outcomes: Outcome[]) => outcomes.every((o) => !o.before?.by_rule)
