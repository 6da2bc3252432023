import { api, body, type Schema } from './client'
import { useTable } from './facts'

export type Role = Schema['RoleDetails']

/** What a role holds on something: all levels but none, which DENY is for. */
export const permissionsOn = (type: string) => (type === 'workspace' ? ['USE', 'MANAGE'] : ['READ', 'USE', 'EDIT', 'MANAGE', 'DENY'])

/** What permissions of roles can be on: kinds, and the parts that MLflow names apart. A part and a workspace are given as all of them alone. */
export function useTypes() {
  const { kinds } = useTable()
  const all = kinds.flatMap((k) => [{ value: k.name, label: k.title, whole: k.name === 'workspace' }, ...(k.parts ?? []).map((p) => ({ value: p, label: p.replaceAll('_', ' '), whole: true }))])
  return all.some((t) => t.value === 'workspace') ? all : [...all, { value: 'workspace', label: 'workspace', whole: true }]
}

export const assign = (role_id: number, username: string, expires_at?: string | null) =>
  body(api.POST('/api/3.0/mlflow/roles/assign', { body: { role_id, username, ...(expires_at ? { expires_at } : {}) } }))

export const unassign = (role_id: number, username: string) => body(api.DELETE('/api/3.0/mlflow/roles/unassign', { body: { role_id, username } }))

/** A permission of a role, as MLflow's API takes it. */
export type Held = { resource_type: string; resource_pattern: string; permission: string }

export const add = (role_id: number, held: Held) => body(api.POST('/api/3.0/mlflow/roles/permissions/add', { body: { role_id, ...held } }))

export const set = (role_permission_id: number, permission: string) => body(api.PATCH('/api/3.0/mlflow/roles/permissions/update', { body: { role_permission_id, permission } }))

export const remove = (role_permission_id: number) => body(api.DELETE('/api/3.0/mlflow/roles/permissions/remove', { body: { role_permission_id } }))

