import { Button, Modal, Select } from '@mantine/core'
import { useDebouncedValue } from '@mantine/hooks'
import { keepPreviousData, useQuery } from '@tanstack/react-query'
import type { ColumnDef } from '@tanstack/react-table'
import { useMemo, useState } from 'react'
import { api, body, inWorkspace, page, type Schema } from '../client'
import { assign, unassign } from '../roles'
import { useChange } from './ask'
import { FormFrame } from './form'
import { endOf, Until } from './give'
import { PageLink } from './link'
import { doing, Listing, paging, type Place } from './table'
import { When } from './when'

/** The roles that a user is assigned. */
export function RolesOf({ user, at, go }: { user: string; at: Place; go: (to: Place) => void }) {
  const [giving, setGiving] = useState(false)
  const query = useQuery({
    queryKey: ['roles of', user, at],
    queryFn: () => page(api.GET('/api/2.0/mlflow/users/{username}/roles', { params: { path: { username: user }, query: paging(at) } })),
    placeholderData: keepPreviousData,
  })
  const columns = useMemo<ColumnDef<Schema['HeldRole']>[]>(() => [
    { header: 'Role', cell: ({ row: { original: r } }) => <PageLink to="/roles/$id" params={{ id: String(r.id) }}>{r.name}</PageLink> },
    { header: 'Workspace', cell: ({ row: { original: r } }) => <span className="name">{r.workspace}</span> },
    { header: 'Until', cell: ({ row: { original: r } }) => <When at={r.expires_at} none="no end" /> },
    { id: 'take', header: doing, cell: ({ row: { original: r } }) => <Unassign role={r.id} user={user} until={r.expires_at} said={`${user} has no longer the role ${r.name}`} /> },
  ], [user])
  return (
    <>
      <Listing label="Roles" identify={(r) => String(r.id)} columns={columns} rows={query.data?.rows} total={query.data?.total} error={query.error} fetching={query.isFetching} at={at} go={go}
        actions={<Button onClick={() => setGiving(true)}>Assign a role</Button>} empty={at.q ? 'No name has this in it.' : 'They have no role.'} />
      <Modal opened={giving} onClose={() => setGiving(false)} title="Assign a role">
        {giving && <AssignTo user={user} close={() => setGiving(false)} />}
      </Modal>
    </>
  )
}

/** The button that takes a role from somebody. */
export function Unassign({ role, user, until, said }: { role: number; user: string; until?: string; said: string }) {
  const take = useChange({ run: () => unassign(role, user), said: () => said, undo: () => assign(role, user, until) })
  return <Button size="compact-sm" variant="light" color="red" loading={take.isPending} onClick={() => take.mutate()}>Take away</Button>
}

function AssignTo({ user, close }: { user: string; close: () => void }) {
  const [role, setRole] = useState<string | null>(null)
  const [until, setUntil] = useState('')
  const give = useChange({
    quiet: true,
    run: () => assign(Number(role), user, endOf(until)),
    said: () => `${user} has the role`,
    undo: () => unassign(Number(role), user),
    after: close,
  })
  return (
    <FormFrame by={give} label="Assign" close={close} disabled={!role}>
      <RoleField value={role} onChange={setRole} />
      <Until value={until} onChange={setUntil} />
    </FormFrame>
  )
}

/** A field for a role, with what the server finds for what was typed. */
function RoleField({ value, onChange }: { value: string | null; onChange: (id: string | null) => void }) {
  const [text, setText] = useState('')
  const [search] = useDebouncedValue(text, 200)
  const query = useQuery({
    queryKey: ['role names', search],
    queryFn: () => body(api.GET('/api/2.0/mlflow/permissions/roles', { params: { query: { limit: 20, search: search.replace(/ \([a-z0-9-]+\)$/, '') } }, headers: inWorkspace('*') })),
    placeholderData: keepPreviousData,
  })
  return (
    <Select label="Role" required searchable data={(query.data ?? []).map((r) => ({ value: String(r.id), label: `${r.name} (${r.workspace})` }))} value={value} onChange={onChange}
      searchValue={text} onSearchChange={setText} filter={({ options }) => options} nothingFoundMessage="There is no such role." maxDropdownHeight={240} data-autofocus />
  )
}
