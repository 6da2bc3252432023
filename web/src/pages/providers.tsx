import { Badge, Button, Card, Group, Stack, Table, Text, Title } from '@mantine/core'
import { useMutation, useQuery } from '@tanstack/react-query'
import { getRouteApi } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import { api, body, type Schema } from '../client'
import { Outcome } from '../parts/outcome'
import { State } from '../parts/state'
import { PageTitle } from '../parts/title'
import { Trouble } from '../parts/trouble'

type Provider = Schema['ProviderRow']
type Finding = Schema['Finding']

const route = getRouteApi('/providers')

/** Where people come from, and what would come of a sign-in. */
export function Providers() {
  const { trial } = route.useSearch()
  const query = useQuery({ queryKey: ['providers'], queryFn: () => body(api.GET('/api/2.0/mlflow/permissions/providers')) })
  const health = useQuery({ queryKey: ['doctor'], queryFn: () => body(api.GET('/api/2.0/mlflow/permissions/doctor')), refetchOnWindowFocus: false })
  const all = query.data?.providers ?? []
  return (
    <Stack>
      <PageTitle>Providers</PageTitle>
      <Text>Identity providers that say who people are. A test of a sign-in shows what a provider says of somebody, in which groups that puts them, and what they could do. It signs nobody in here, and changes nothing.</Text>
      {trial && <Outcome trial={trial} titled={(id) => all.find((p) => p.id === id)?.display_name ?? id} />}
      {query.error && <Trouble error={query.error} retry={() => query.refetch()} />}
      {!query.data && !query.error && <Text role="status" mih={300}>Asking …</Text>}
      {all.map((p) => (
        <One key={p.id} provider={p}>
          {health.error
            ? <Trouble error={health.error} retry={() => health.refetch()} />
            : <Health of={(health.data?.findings ?? []).filter((f) => f.provider === p.id)} asking={health.isFetching} />}
        </One>
      ))}
    </Stack>
  )
}

function One({ provider: p, children }: { provider: Provider; children: ReactNode }) {
  const begin = useMutation({
    mutationFn: () => body(api.POST('/api/2.0/mlflow/permissions/providers/{provider_id}/trial', { params: { path: { provider_id: p.id } } })),
    onSuccess: ({ address }) => { if (/^https?:/.test(address)) location.assign(address) },
  })
  return (
    <Card withBorder component="section" aria-label={p.display_name}>
      <Stack gap="sm">
        <Group justify="space-between">
          <Title order={3} size="h4" className="name">{p.display_name}</Title>
          {p.interactive
            ? <Button size="compact-sm" variant="light" loading={begin.isPending || begin.isSuccess} onClick={() => begin.mutate()}>Test a sign-in</Button>
            : <Badge variant="light" color="gray">tokens alone</Badge>}
        </Group>
        {begin.error && <Trouble error={begin.error} />}
        <Table.ScrollContainer minWidth={0}>
          <Table variant="vertical" aria-label={`Settings of ${p.display_name}`}>
            <Table.Tbody>
              <Fact name="Id">{p.id}</Fact>
              <Fact name="Issuer">{list(p.issuers) ?? p.discovery_url ?? 'as it says itself'}</Fact>
              {p.discovery_url && <Fact name="Discovery">{p.discovery_url}</Fact>}
              <Fact name="Client id">{p.client_id}</Fact>
              <Fact name="Scopes">{list(p.scopes)}</Fact>
              <Fact name="Redirect address">{p.redirect_uri || `${p.callback} on the address of this server`}</Fact>
              <Fact name="Username from">{list(p.username_claims)}</Fact>
              <Fact name="Groups from">{p.groups_plugin ? p.groups_plugin : `the claim ${p.groups_claim}`}</Fact>
              <Fact name="May sign in">{list([...(p.allowed_groups ?? []), ...(p.allowed_group_patterns ?? []).map((one) => `all that match ${one}`), ...(p.admin_groups ?? [])]) ?? 'nobody'}</Fact>
              <Fact name="Administrators">{list(p.admin_groups) ?? 'none from here'}</Fact>
            </Table.Tbody>
          </Table>
        </Table.ScrollContainer>
        {children}
      </Stack>
    </Card>
  )
}

const list = (all?: string[] | null) => (all?.length ? all.join(', ') : undefined)

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return <Table.Tr><Table.Th scope="row" w={150}>{name}</Table.Th><Table.Td><span className="name">{children}</span></Table.Td></Table.Tr>
}

function Health({ of, asking }: { of: Finding[]; asking: boolean }) {
  return (
    <Stack gap={6} mih={100} role="group" aria-label="Health" aria-busy={asking}>
      {of.map((f) => (
        <Group key={f.what + f.says} gap="sm" align="start" wrap="nowrap">
          <State of={f} />
          <div>
            <Text size="sm" className="name">{f.what}: {f.says}</Text>
            {f.mend && <Text size="sm" className="name"><strong>What to do:</strong> {f.mend}</Text>}
          </div>
        </Group>
      ))}
    </Stack>
  )
}
