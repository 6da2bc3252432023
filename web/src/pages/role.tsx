import { Button, Group, Modal, Select, Stack, Tabs, Text, Textarea, TextInput } from '@mantine/core'
import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { getRouteApi } from '@tanstack/react-router'
import type { ColumnDef } from '@tanstack/react-table'
import { useMemo, useState } from 'react'
import { api, body, page, type Schema } from '../client'
import { useServer } from '../facts'
import { Ask, useChange } from '../parts/ask'
import { FormFrame } from '../parts/form'
import { endOf, Until, Whom } from '../parts/give'
import { PageLink } from '../parts/link'
import { Unassign } from '../parts/roles'
import { doing, Listing, paging, type Place } from '../parts/table'
import { PageTitle } from '../parts/title'
import { Trouble } from '../parts/trouble'
import { When } from '../parts/when'
import { add, assign, permissionsOn, remove, type Role, set, unassign, useTypes } from '../roles'

const route = getRouteApi('/roles/$id')

type Permission = Schema['RolePermissionDetails']
type Tab = { role: number; at: Place; go: (to: Place) => void }

/** One role, for administrators. */
export function RolePage() {
  const { id } = route.useParams()
  const { tab = 'permissions', workspace: _, ...at } = route.useSearch()
  const navigate = route.useNavigate()
  const { workspaces_enabled } = useServer()
  const role = Number(id)
  const query = useQuery({ queryKey: ['role', role], queryFn: () => body(api.GET('/api/2.0/mlflow/permissions/roles/{role_id}', { params: { path: { role_id: role } } })) })
  const of: Tab = { role, at, go: (to) => navigate({ search: { tab, ...to }, replace: true }) }
  return (
    <Stack>
      <div>
        <PageLink to="/roles" size="sm">Roles</PageLink>
        <Group justify="space-between" align="start">
          <div>
            <PageTitle>{query.data?.name ?? `Role ${id}`}</PageTitle>
            {query.data && <Text c="dimmed" className="name">{query.data.description}</Text>}
            {query.data && workspaces_enabled && <Text size="sm">In the workspace <b className="name">{query.data.workspace}</b>: it counts there alone.</Text>}
          </div>
          {query.data && <Actions role={query.data} />}
        </Group>
        {query.error && <Trouble error={query.error} retry={() => query.refetch()} />}
      </div>
      {query.data && (
        <Tabs key={id} value={tab} onChange={(to) => navigate({ search: { tab: to ?? undefined } })} keepMounted={false}>
          <Tabs.List>
            <Tabs.Tab value="permissions">Permissions</Tabs.Tab>
            <Tabs.Tab value="members">Members</Tabs.Tab>
          </Tabs.List>
          <Tabs.Panel value="permissions" pt="md"><Permissions {...of} /></Tabs.Panel>
          <Tabs.Panel value="members" pt="md"><Members {...of} name={query.data.name} /></Tabs.Panel>
        </Tabs>
      )}
    </Stack>
  )
}

function Actions({ role }: { role: Role }) {
  const navigate = route.useNavigate()
  const [changing, setChanging] = useState(false)
  return (
    <Group gap="xs">
      <Button size="compact-sm" variant="light" onClick={() => setChanging(true)}>Rename or describe</Button>
      <Ask label="Delete" title={`Delete ${role.name}?`} confirm="Delete for good" said={`The role ${role.name} is deleted`} after={() => void navigate({ to: '/roles', search: {} })}
        run={() => body(api.DELETE('/api/3.0/mlflow/roles/delete', { body: { role_id: role.id } }))}>
        With the role go its {role.permission_count.toLocaleString()} permissions, and its {role.member_count.toLocaleString()} members lose what it gives them; what it denies is denied no longer. This cannot be undone.
      </Ask>
      <Modal opened={changing} onClose={() => setChanging(false)} title="Rename or describe">
        {changing && <Describe role={role} close={() => setChanging(false)} />}
      </Modal>
    </Group>
  )
}

function Describe({ role, close }: { role: Role; close: () => void }) {
  const [name, setName] = useState(role.name)
  const [description, setDescription] = useState(role.description ?? '')
  const update = (to: { name: string; description: string }) => body(api.PATCH('/api/3.0/mlflow/roles/update', { body: { role_id: role.id, ...to } }))
  const change = useChange({
    quiet: true,
    run: () => update({ name, description }),
    said: () => `The role is ${name} now`,
    undo: () => update({ name: role.name, description: role.description ?? '' }),
    after: close,
  })
  return (
    <FormFrame by={change} label="Save" close={close}>
      <TextInput label="Name" required maxLength={255} value={name} onChange={(e) => setName(e.currentTarget.value)} data-autofocus />
      <Textarea label="Description" maxLength={1024} autosize value={description} onChange={(e) => setDescription(e.currentTarget.value)} />
    </FormFrame>
  )
}

function Permissions({ role, at, go }: Tab) {
  const [adding, setAdding] = useState(false)
  const query = useQuery({
    queryKey: ['role permissions', role, at],
    queryFn: () => page(api.GET('/api/2.0/mlflow/permissions/roles/{role_id}/permissions', { params: { path: { role_id: role }, query: paging(at) } })),
    placeholderData: keepPreviousData,
  })
  const columns = useMemo<ColumnDef<Permission>[]>(() => [
    { header: 'Kind', cell: ({ row: { original: p } }) => <TypeTitle of={p.resource_type} /> },
    { header: 'On', cell: ({ row: { original: p } }) => (p.resource === '*' ? 'all of them' : <span className="name">{p.resource}</span>) },
    { header: 'Level', cell: ({ row: { original: p } }) => <Change of={p} /> },
    { id: 'remove', header: doing, cell: ({ row: { original: p } }) => <Remove role={role} of={p} /> },
  ], [role])
  return (
    <>
      <Listing label="Permissions" identify={(p) => String(p.id)} columns={columns} rows={query.data?.rows} total={query.data?.total} error={query.error} fetching={query.isFetching} at={at} go={go}
        actions={<Button onClick={() => setAdding(true)}>Add a permission</Button>} empty={at.q ? 'Nothing has this in its name.' : 'It holds nothing yet.'} />
      <Modal opened={adding} onClose={() => setAdding(false)} title="Add a permission">
        {adding && <Add role={role} close={() => setAdding(false)} />}
      </Modal>
    </>
  )
}

function TypeTitle({ of }: { of: string }) {
  return <>{useTypes().find((t) => t.value === of)?.label ?? of}</>
}

function Change({ of }: { of: Permission }) {
  const change = useChange<string>({
    quiet: true,
    run: (to) => set(of.id, to),
    said: (to) => `The role has ${to}`,
    undo: () => set(of.id, of.permission),
  })
  return (
    <Select aria-label={`Level on ${of.resource_type} ${of.resource}`} size="xs" w={160} data={permissionsOn(of.resource_type)} value={of.permission} allowDeselect={false} disabled={change.isPending}
      error={change.error ? change.error.message : undefined} onChange={(to) => to && to !== of.permission && change.mutate(to)} />
  )
}

function Remove({ role, of }: { role: number; of: Permission }) {
  const take = useChange({
    run: () => remove(of.id),
    said: () => `The role has no longer ${of.permission} on ${of.resource_type} ${of.resource}`,
    undo: () => add(role, { resource_type: of.resource_type, resource_pattern: of.resource_pattern, permission: of.permission }),
  })
  return <Button size="compact-sm" variant="light" color="red" loading={take.isPending} onClick={() => take.mutate()}>Remove</Button>
}

function Add({ role, close }: { role: number; close: () => void }) {
  const types = useTypes()
  const [type, setType] = useState(types[0]!)
  const [on, setOn] = useState('')
  const [permission, setPermission] = useState('READ')
  const give = useChange({
    quiet: true,
    run: () => add(role, { resource_type: type.value, resource_pattern: type.whole ? '*' : on, permission }),
    said: () => `The role has ${permission}`,
    after: close,
  })
  function choose(name: string | null) {
    const to = types.find((t) => t.value === name) ?? type
    setType(to)
    if (!permissionsOn(to.value).includes(permission)) setPermission(permissionsOn(to.value)[0]!)
  }
  return (
    <FormFrame by={give} label="Add" close={close}>
      <Select label="Kind" searchable data={types} value={type.value} allowDeselect={false} onChange={choose} />
      {type.whole
        ? <Text size="sm">{type.value === 'workspace' ? 'On the whole workspace: MANAGE gives everything in it, USE lets in and create.' : 'On all of them.'}</Text>
        : <TextInput label="Id or name" description="As MLflow has it: the id of an experiment, the name of a model; * is all of them" required maxLength={512} value={on} onChange={(e) => setOn(e.currentTarget.value)} />}
      <Select label="Level" description={permission === 'DENY' ? 'Refuses it, whatever else gives it' : undefined} data={permissionsOn(type.value)} value={permission} allowDeselect={false} onChange={(to) => to && setPermission(to)} />
    </FormFrame>
  )
}

function Members({ role, name, at, go }: Tab & { name: string }) {
  const [assigning, setAssigning] = useState(false)
  const query = useQuery({
    queryKey: ['role members', role, at],
    queryFn: () => page(api.GET('/api/2.0/mlflow/permissions/roles/{role_id}/users', { params: { path: { role_id: role }, query: paging(at) } })),
    placeholderData: keepPreviousData,
  })
  const columns = useMemo<ColumnDef<Schema['RoleMember']>[]>(() => [
    { header: 'User', cell: ({ row: { original: m } }) => <><PageLink to="/users/$name" params={{ name: m.username }}>{m.username}</PageLink>{m.is_service_account && ' (service account)'}</> },
    { header: 'Until', cell: ({ row: { original: m } }) => <When at={m.expires_at} none="no end" /> },
    { id: 'take', header: doing, cell: ({ row: { original: m } }) => <Unassign role={role} user={m.username} until={m.expires_at} said={`${m.username} has no longer the role ${name}`} /> },
  ], [role, name])
  return (
    <>
      <Listing label="Members" identify={(m) => m.username} columns={columns} rows={query.data?.rows} total={query.data?.total} error={query.error} fetching={query.isFetching} at={at} go={go}
        actions={<Button onClick={() => setAssigning(true)}>Assign it</Button>} empty={at.q ? 'No name has this in it.' : 'Nobody has this role.'} />
      <Modal opened={assigning} onClose={() => setAssigning(false)} title={`Assign ${name}`}>
        {assigning && <Assign role={role} close={() => setAssigning(false)} />}
      </Modal>
    </>
  )
}

function Assign({ role, close }: { role: number; close: () => void }) {
  const [user, setUser] = useState('')
  const [until, setUntil] = useState('')
  const give = useChange({
    quiet: true,
    run: () => assign(role, user, endOf(until)),
    said: () => `${user} has the role`,
    undo: () => unassign(role, user),
    after: close,
  })
  return (
    <FormFrame by={give} label="Assign" close={close} disabled={!user}>
      <Whom value={user} onChange={setUser} />
      <Until value={until} onChange={setUntil} />
    </FormFrame>
  )
}
