import { Button, Modal, Stack, Text, Textarea, TextInput } from '@mantine/core'
import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { getRouteApi } from '@tanstack/react-router'
import type { ColumnDef } from '@tanstack/react-table'
import { useState } from 'react'
import { api, body, openWorkspace, page } from '../client'
import { useServer } from '../facts'
import { useChange } from '../parts/ask'
import { FormFrame } from '../parts/form'
import { PageLink } from '../parts/link'
import { Listing, paging } from '../parts/table'
import { PageTitle } from '../parts/title'
import { WorkspaceField } from '../parts/workspace'
import type { Role } from '../roles'

const route = getRouteApi('/roles')

/** Roles, for administrators. */
export function Roles() {
  const { workspace, ...at } = route.useSearch()
  const navigate = route.useNavigate()
  const [making, setMaking] = useState(false)
  const query = useQuery({
    queryKey: ['roles', workspace, at],
    queryFn: () => page(api.GET('/api/2.0/mlflow/permissions/roles', { params: { query: paging(at) } })),
    placeholderData: keepPreviousData,
  })
  return (
    <Stack>
      <PageTitle>Roles</PageTitle>
      <Text>A role is a bundle of permissions in a workspace, for those whom it is assigned to. Its DENY wins over whatever else gives something.</Text>
      <Listing label="Roles" identify={(r) => String(r.id)} columns={columns} rows={query.data?.rows} total={query.data?.total} error={query.error} fetching={query.isFetching} at={at}
        go={(search) => navigate({ search, replace: true })} actions={<Button onClick={() => setMaking(true)}>New role</Button>}
        empty={at.q ? 'No name has this in it.' : 'There are no roles. Permissions can be given to groups and users without.'} />
      <Modal opened={making} onClose={() => setMaking(false)} title="New role">
        {making && <NewRole close={() => setMaking(false)} made={(q) => void navigate({ search: { q } })} />}
      </Modal>
    </Stack>
  )
}

const columns: ColumnDef<Role>[] = [
  { header: 'Name', cell: ({ row: { original: r } }) => <PageLink to="/roles/$id" params={{ id: String(r.id) }}>{r.name}</PageLink> },
  { header: 'Workspace', cell: ({ row: { original: r } }) => <span className="name">{r.workspace}</span> },
  { header: 'Description', cell: ({ row: { original: r } }) => <span className="name">{r.description}</span> },
  { header: 'Permissions', accessorKey: 'permission_count' },
  { header: 'Members', accessorKey: 'member_count' },
]

function NewRole({ close, made }: { close: () => void; made: (name: string) => void }) {
  const [name, setName] = useState('')
  const [description, setDescription] = useState('')
  const { workspaces_enabled } = useServer()
  const [workspace, setWorkspace] = useState<string | null>(openWorkspace() ?? 'default')
  const make = useChange({
    quiet: true,
    run: () => body(api.POST('/api/3.0/mlflow/roles/create', { body: { workspace, name, ...(description ? { description } : {}) } })),
    said: () => `The role ${name} is there: give it permissions, and assign it`,
    after: () => { close(); made(name) },
  })
  return (
    <FormFrame by={make} label="Make it" close={close}>
      <TextInput label="Name" required maxLength={255} value={name} onChange={(e) => setName(e.currentTarget.value)} data-autofocus />
      <Textarea label="Description" maxLength={1024} autosize value={description} onChange={(e) => setDescription(e.currentTarget.value)} />
      {workspaces_enabled && <WorkspaceField label="Workspace" value={workspace} onChange={setWorkspace} />}
    </FormFrame>
  )
}
