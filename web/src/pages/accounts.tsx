import { Badge, Button, Checkbox, Group, Modal, Stack, TextInput } from '@mantine/core'
import { keepPreviousData, useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { getRouteApi } from '@tanstack/react-router'
import type { ColumnDef } from '@tanstack/react-table'
import { useState } from 'react'
import { api, body, page, Refusal, type Schema } from '../client'
import { done } from '../parts/ask'
import { FormFrame } from '../parts/form'
import { Whom } from '../parts/give'
import { PageLink } from '../parts/link'
import { GiveToSeveral } from '../parts/several'
import { Listing, paging, type Place, useChoice } from '../parts/table'
import { PageTitle } from '../parts/title'

type Account = Schema['Account']

const users = getRouteApi('/users')
const services = getRouteApi('/services')

/** People, for administrators. */
export function Users() {
  const navigate = users.useNavigate()
  return <Accounts service={false} title="Users" at={users.useSearch()} go={(search) => navigate({ search, replace: true })} />
}

/** Service accounts, for administrators. */
export function Services() {
  const navigate = services.useNavigate()
  return <Accounts service title="Service accounts" at={services.useSearch()} go={(search) => navigate({ search, replace: true })} />
}

function Accounts({ service, title, at, go }: { service: boolean; title: string; at: Place; go: (to: Place) => void }) {
  const [making, setMaking] = useState(false)
  const query = useQuery({
    queryKey: ['accounts', service, at],
    queryFn: () => page(api.GET('/api/2.0/mlflow/users/details', { params: { query: { ...paging(at), service: String(service) } } })),
    placeholderData: keepPreviousData,
  })
  const choice = useChoice<Account>((a) => a.username, service, at.q)
  return (
    <Stack>
      <PageTitle>{title}</PageTitle>
      <Listing label={title} identify={(a) => a.username} columns={service ? [...columns, source] : columns} rows={query.data?.rows} total={query.data?.total} error={query.error} fetching={query.isFetching} at={at} go={go}
        choice={choice} chosen={<GiveToSeveral choice={choice} whom={(a) => ({ user: a.username })} />} actions={<Button onClick={() => setMaking(true)}>{service ? 'New service account' : 'New user'}</Button>}
        empty={at.q ? 'No name has this in it.' : service ? 'There are no service accounts. Make one for a program that acts for nobody in particular.' : 'There is nobody yet: people come by signing in.'} />
      <Modal opened={making} onClose={() => setMaking(false)} title={service ? 'New service account' : 'New user'}>
        {making && <NewAccount service={service} close={() => setMaking(false)} />}
      </Modal>
    </Stack>
  )
}

const columns: ColumnDef<Account>[] = [
  { header: 'Username', cell: ({ row: { original: a } }) => <PageLink to="/users/$name" params={{ name: a.username }}>{a.username}</PageLink> },
  { header: 'Name', cell: ({ row: { original: a } }) => <span className="name">{a.display_name}</span> },
  {
    header: 'State',
    cell: ({ row: { original: a } }) => (
      <Group gap={4}>
        {a.is_admin && <Badge variant="light" color="violet">administrator</Badge>}
        {!a.active && <Badge variant="light" color="red">deactivated</Badge>}
      </Group>
    ),
  },
  { header: 'Managed by', cell: ({ row: { original: a } }) => a.managed_by },
]
const source: ColumnDef<Account> = { header: 'Known by', cell: ({ row: { original: a } }) => a.service_account_source }

async function isThere(username: string) {
  try {
    await api.GET('/api/2.0/mlflow/users/{username}', { params: { path: { username: username.trim() } } })
    return true
  } catch (error) {
    if (error instanceof Refusal && error.status === 404) return false
    throw error
  }
}

function NewAccount({ service, close }: { service: boolean; close: () => void }) {
  const queries = useQueryClient()
  const [username, setUsername] = useState('')
  const [name, setName] = useState('')
  const [admin, setAdmin] = useState(false)
  const [owner, setOwner] = useState('')
  const make = useMutation({
    mutationFn: async () => {
      if (await isThere(username)) throw new Refusal(409, '', `${username} is there already, and is left as it is`, '') // to make it again would set its roles anew
      return body(api.POST('/api/2.0/mlflow/users', { body: { username, display_name: name || username, is_admin: admin, is_service_account: service, ...(owner ? { owner } : {}) } }))
    },
    onSuccess: async (answer) => {
      done(answer.message ?? `${username} has been made`)
      await queries.invalidateQueries({ queryKey: ['accounts'] })
      close()
    },
  })
  return (
    <FormFrame by={make} label="Make it" close={close}>
      <TextInput label="Username" description={service ? undefined : 'As the identity provider says it, so that the person gets this account by signing in'} required maxLength={255} value={username} onChange={(e) => setUsername(e.currentTarget.value)} data-autofocus />
      <TextInput label="Name to show" maxLength={255} value={name} onChange={(e) => setName(e.currentTarget.value)} />
      {service && <Whom label="Owner" optional value={owner} onChange={setOwner} />}
      <Checkbox label="Administrator: may do everything" checked={admin} onChange={(e) => setAdmin(e.currentTarget.checked)} />
    </FormFrame>
  )
}
