import { Badge, Group, Select, Stack, Text, Title } from '@mantine/core'
import { useInfiniteQuery } from '@tanstack/react-query'
import { getRouteApi } from '@tanstack/react-router'
import { useMe, useTable } from '../facts'
import { Access, general, Remark, what } from '../parts/access'
import { PageLink } from '../parts/link'
import { More } from '../parts/table'
import { PageTitle } from '../parts/title'
import { Trouble } from '../parts/trouble'

const route = getRouteApi('/')

/** Who one is, and what one can do. */
export function Home() {
  const me = useMe()
  const { kinds } = useTable()
  const { kind } = route.useSearch()
  const navigate = route.useNavigate()
  const query = useInfiniteQuery(what('', kind))
  return (
    <Stack>
      <div>
        <PageTitle>{me.display_name || me.username}</PageTitle>
        <Group gap="xs">
          <Text c="dimmed" className="name">{me.username}</Text>
          {me.is_admin && <Badge variant="light">Administrator</Badge>}
        </Group>
      </div>
      <section aria-labelledby="groups">
        <Title order={3} size="h4" id="groups" mb="xs">My groups</Title>
        <Group gap="xs">
          {(me.groups ?? []).map((g) => <Badge key={g.id} variant="default" className="name">{g.group_name}</Badge>)}
          {(me.groups ?? []).length === 0 && <Text size="sm" c="dimmed">You are in no group.</Text>}
        </Group>
      </section>
      <section aria-labelledby="access">
        <Group justify="space-between" align="end" mb="xs">
          <Title order={3} size="h4" id="access">What I can access</Title>
          <Select label="Kind" allowDeselect={false} value={kind ?? ''} data={[{ value: '', label: 'all kinds' }, ...kinds.map((k) => ({ value: k.name, label: k.title }))]}
            onChange={(value) => navigate({ search: { kind: value || undefined } })} />
        </Group>
        {me.is_admin && <Text mb="sm">You are an administrator: you may do everything, whatever is given below.</Text>}
        {query.error ? <Trouble error={query.error} retry={() => query.refetch()} /> : (
          <><Remark pages={query.data?.pages} /><Access rows={query.data?.pages.flatMap((p) => p.access ?? [])} general={general(query.data?.pages)}
            empty="Nothing is given to you yet. Ask whoever manages an experiment or a model, or an administrator." /></>
        )}
        <More query={query} />
        <Text size="sm" mt="sm">Something is missing? <PageLink to="/ask" underline="always">Ask for access</PageLink>, and see under <PageLink to="/requests" underline="always" search={{ tab: 'mine' }}>My requests</PageLink> what was decided.</Text>
      </section>
    </Stack>
  )
}
