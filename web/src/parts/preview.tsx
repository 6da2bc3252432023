import { Button, Group, Stack, Table, Text } from '@mantine/core'
import { useDebouncedValue } from '@mantine/hooks'
import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { api, body, inWorkspace } from '../client'
import type { Kind } from '../facts'
import { nameOf, type Principal } from '../permissions'
import { Level } from './level'

const shown = 10

type Tried = { id?: number; regex: string; priority: number; permission: string }

/** What a pattern would match and change, while it is written. Nothing is given by it. */
export function Preview({ to, kind, workspace, ...now }: { to: Principal; kind: Kind; workspace?: string } & Tried) {
  const [tried] = useDebouncedValue(JSON.stringify(now), 300)
  const [at, setAt] = useState({ tried, offset: 0 })
  const offset = at.tried === tried ? at.offset : 0
  const pattern = JSON.parse(tried) as Tried
  const query = useQuery({
    queryKey: ['preview', to, kind.name, workspace, tried, offset],
    queryFn: () => body(api.POST('/api/2.0/mlflow/permissions/patterns/preview', { body: { ...to, ...pattern, kind: kind.name, limit: shown, offset }, headers: inWorkspace(workspace) })),
    enabled: pattern.regex !== '' && Number.isInteger(pattern.priority),
    placeholderData: keepPreviousData,
    gcTime: 60_000,
  })
  const found = pattern.regex === '' || query.error ? undefined : query.data
  const rows = found?.rows ?? []
  return (
    <Stack gap={4} mih={72} role="region" aria-label="What the pattern matches">
      <Text size="sm" role="status" className="name" c={query.error ? 'var(--mantine-color-error)' : undefined}>
        {query.error ? query.error.message : found ? `Matches ${found.matches.toLocaleString()} of ${found.of.toLocaleString()}; another level than now on ${found.changes.toLocaleString()}.` : pattern.regex ? 'Looking …' : 'What it matches is shown here.'}
      </Text>
      {found?.remark && <Text size="sm" c="dimmed">{found.remark}</Text>}
      {rows.length > 0 && (
        <Table.ScrollContainer minWidth={280} maxHeight={260}>
          <Table aria-label={`What it matches, and the level of ${nameOf(to)}`} verticalSpacing={2} opacity={query.isPlaceholderData ? 0.6 : 1}>
            <Table.Thead><Table.Tr><Table.Th scope="col">Name</Table.Th><Table.Th scope="col">Level</Table.Th></Table.Tr></Table.Thead>
            <Table.Tbody>
              {rows.map((row) => (
                <Table.Tr key={row.id}>
                  <Table.Td><Text span size="sm" className="name">{row.name}</Text>{!row.matches && <Text span size="sm" c="dimmed"> (no longer matched)</Text>}</Table.Td>
                  <Table.Td>{row.before === row.after ? <><Level level={row.after} /> <Text span size="sm" c="dimmed">as now</Text></> : <><Level level={row.before} /> <Text span size="sm">becomes</Text> <Level level={row.after} /></>}</Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Table.ScrollContainer>
      )}
      {(offset > 0 || rows.length === shown) && (
        <Group gap="xs">
          <Button size="compact-sm" variant="default" disabled={offset === 0} onClick={() => setAt({ tried, offset: offset - shown })}>Before</Button>
          <Button size="compact-sm" variant="default" disabled={rows.length < shown} onClick={() => setAt({ tried, offset: offset + shown })}>More of them</Button>
        </Group>
      )}
    </Stack>
  )
}
