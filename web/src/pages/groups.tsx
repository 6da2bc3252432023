import { Button, Modal, Stack, TextInput } from '@mantine/core'
import { keepPreviousData, useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { getRouteApi } from '@tanstack/react-router'
import type { ColumnDef } from '@tanstack/react-table'
import { useState } from 'react'
import { api, body, page, type Schema } from '../client'
import { done } from '../parts/ask'
import { FormFrame } from '../parts/form'
import { PageLink } from '../parts/link'
import { GiveToSeveral } from '../parts/several'
import { Listing, paging, useChoice } from '../parts/table'
import { PageTitle } from '../parts/title'

const route = getRouteApi('/groups')

/** Groups, for administrators. */
export function Groups() {
  const at = route.useSearch()
  const navigate = route.useNavigate()
  const [making, setMaking] = useState(false)
  const query = useQuery({
    queryKey: ['groups', at],
    queryFn: () => page(api.GET('/api/2.0/mlflow/permissions/groups/details', { params: { query: paging(at) } })),
    placeholderData: keepPreviousData,
  })
  const choice = useChoice<Schema['GroupDetails']>((g) => g.group_name, at.q)
  return (
    <Stack>
      <PageTitle>Groups</PageTitle>
      <Listing label="Groups" identify={(g) => g.group_name} columns={columns} rows={query.data?.rows} total={query.data?.total} error={query.error} fetching={query.isFetching} at={at}
        choice={choice} chosen={<GiveToSeveral choice={choice} whom={(g) => ({ group: g.group_name })} />} go={(search) => navigate({ search, replace: true })} actions={<Button onClick={() => setMaking(true)}>New group</Button>}
        empty={at.q ? 'No name has this in it.' : 'There are no groups yet: they come with the people who sign in.'} />
      <Modal opened={making} onClose={() => setMaking(false)} title="New group">
        {making && <NewGroup close={() => setMaking(false)} />}
      </Modal>
    </Stack>
  )
}

const columns: ColumnDef<Schema['GroupDetails']>[] = [
  { header: 'Name', cell: ({ row: { original: g } }) => <PageLink to="/groups/$name" params={{ name: g.group_name }}>{g.group_name}</PageLink> },
  { header: 'Members', accessorKey: 'member_count' },
]

function NewGroup({ close }: { close: () => void }) {
  const queries = useQueryClient()
  const [name, setName] = useState('')
  const make = useMutation({
    mutationFn: () => body(api.POST('/api/2.0/mlflow/permissions/groups', { body: { group_name: name } })),
    onSuccess: async (answer) => {
      done(answer.message ?? `${name} has been made`)
      await queries.invalidateQueries({ queryKey: ['groups'] })
      close()
    },
  })
  return (
    <FormFrame by={make} label="Make it" close={close}>
      <TextInput label="Name" description="As the identity provider says it, so that its members are in it when they sign in" required maxLength={255} value={name} onChange={(e) => setName(e.currentTarget.value)} data-autofocus />
    </FormFrame>
  )
}
