import { Button, Group, Stack, Tabs, Text } from '@mantine/core'
import { useInfiniteQuery } from '@tanstack/react-query'
import { getRouteApi } from '@tanstack/react-router'
import type { ColumnDef } from '@tanstack/react-table'
import { useChange } from '../parts/ask'
import { Level } from '../parts/level'
import { PageButton } from '../parts/link'
import { About, Outcome, ToDecide } from '../parts/requests'
import { doing, More, Rows } from '../parts/table'
import { PageTitle } from '../parts/title'
import { When } from '../parts/when'
import { type AccessRequest, askAgain, mine, withdraw } from '../requests'

const route = getRouteApi('/requests')

/** Who asks for access to what one manages, and what one has asked for. */
export function Requests() {
  const { tab = 'decide' } = route.useSearch()
  const navigate = route.useNavigate()
  return (
    <Stack>
      <Group justify="space-between">
        <PageTitle>Requests</PageTitle>
        <PageButton to="/ask">Ask for access</PageButton>
      </Group>
      <Tabs value={tab} onChange={(to) => navigate({ search: { tab: to ?? undefined } })} keepMounted={false}>
        <Tabs.List>
          <Tabs.Tab value="decide">To decide</Tabs.Tab>
          <Tabs.Tab value="mine">My requests</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="decide" pt="md"><ToDecide empty="Nobody waits for you: there is no open request for what you manage." /></Tabs.Panel>
        <Tabs.Panel value="mine" pt="md"><Mine /></Tabs.Panel>
      </Tabs>
    </Stack>
  )
}

function Mine() {
  const query = useInfiniteQuery(mine)
  return (
    <Stack>
      <Rows label="My requests" identify={(r) => String(r.id)} columns={columns} rows={query.data?.pages.flatMap((p) => p.requests ?? [])} error={query.error}
        empty="You have asked for nothing. What you are refused has a button to ask for it." />
      <Group justify="space-between" mih={36}>
        <Text size="sm" c="dimmed" role="status">{query.data ? `${query.data.pages[0]!.total.toLocaleString()} in all` : ' '}</Text>
        <More query={query} />
      </Group>
    </Stack>
  )
}

const columns: ColumnDef<AccessRequest>[] = [
  { header: 'What', cell: ({ row: { original: r } }) => <About of={r} /> },
  { header: 'Level', cell: ({ row: { original: r } }) => <Level level={r.permission} /> },
  { header: 'Asked', cell: ({ row: { original: r } }) => <When at={r.asked_at} /> },
  { header: 'Until', cell: ({ row: { original: r } }) => <When at={r.expires_at} none="no end" /> },
  { header: 'Outcome', cell: ({ row: { original: r } }) => <Outcome of={r} /> },
  { id: 'withdraw', header: doing, cell: ({ row: { original: r } }) => r.status === 'open' && <Withdraw request={r} /> },
]

/** Takes a request back; asking again is the way back of that. */
export function Withdraw({ request }: { request: AccessRequest }) {
  const back = useChange({ run: () => withdraw(request), said: () => 'The request is withdrawn', undo: () => askAgain(request) })
  return <Button size="compact-sm" variant="light" color="red" loading={back.isPending} onClick={() => back.mutate()}>Withdraw</Button>
}
