import { Alert, Badge, Button, Group, Modal, Select, Stack, Switch, Table, Text, TextInput } from '@mantine/core'
import { useDebouncedValue } from '@mantine/hooks'
import { useQuery } from '@tanstack/react-query'
import type { ColumnDef } from '@tanstack/react-table'
import { useMemo, useState } from 'react'
import { api, body, Refusal, type Schema } from '../client'
import { useServer } from '../facts'
import { Ask, Opens, useChange } from '../parts/ask'
import { FormFrame } from '../parts/form'
import { Level } from '../parts/level'
import { doing, Rows } from '../parts/table'
import { PageTitle } from '../parts/title'
import { Nowhere, Trouble } from '../parts/trouble'

type Rule = Schema['RuleRow']
type Plan = Schema['RulePlan']
type Line = Schema['RuleChange']

const one = '/api/3.0/mlflow/workspace-rules/{rule_id}' as const
const path = (id: number) => ({ params: { path: { rule_id: id } } })

/** Saves, and fails where the rule is saved and what it gives is not. */
async function saving(call: Promise<Plan>) {
  const plan = await call
  if (plan.error) throw new Refusal(503, '', plan.error, '')
  return plan
}

const change = (id: number, to: Partial<Pick<Rule, 'name' | 'pattern' | 'permission' | 'mode' | 'enabled'>>) => saving(body(api.PATCH(one, { ...path(id), body: to })))

/** Rules that give groups a level in a workspace by their names, for administrators. */
export function Rules() {
  const { workspaces_enabled } = useServer()
  return workspaces_enabled ? <All /> : <Nowhere />
}

function All() {
  const [making, setMaking] = useState(false)
  const query = useQuery({ queryKey: ['rules'], queryFn: () => body(api.GET('/api/3.0/mlflow/workspace-rules')) })
  const levels = query.data?.allowed_permissions
  const allowed = levels ?? []
  const columns = useMemo(() => columnsFor(levels ?? []), [levels]) // made anew with each rendering, they would close what is open in a row
  return (
    <Stack>
      <Group justify="space-between">
        <PageTitle>Workspace rules</PageTitle>
        {query.data && <Button onClick={() => setMaking(true)}>New rule</Button>}
      </Group>
      <Text>A rule lets groups into workspaces by their names: into the workspace that its part <code>(?P&lt;ws&gt;…)</code> finds in the name of a group. Where two speak of one group and workspace, the older one counts.</Text>
      <Rows label="Rules" identify={(r) => String(r.id)} columns={columns} rows={query.data?.rules ?? undefined} error={query.error} empty="There are no rules. Permissions on workspaces can be given without." />
      <Modal opened={making} onClose={() => setMaking(false)} title="New rule" size="xl" closeOnClickOutside={false}>
        {making && <Form allowed={allowed} close={() => setMaking(false)} />}
      </Modal>
    </Stack>
  )
}

const columnsFor = (allowed: string[]): ColumnDef<Rule>[] => [
  { header: 'Name', cell: ({ row: { original: r } }) => <><span className="name">{r.name}</span><Text size="sm" c="dimmed" className="name">by {r.created_by}</Text></> },
  { header: 'Groups', cell: ({ row: { original: r } }) => <code className="name">{r.pattern}</code> },
  { header: 'Level', cell: ({ row: { original: r } }) => <Level level={r.permission} /> },
  { header: 'Mode', cell: ({ row: { original: r } }) => <Badge variant="light" color={r.mode === 'enforce' && r.enabled ? 'cyan' : 'gray'}>{r.mode === 'enforce' ? 'gives it' : 'only says what'}</Badge> },
  { header: 'On', cell: ({ row: { original: r } }) => <Enabled rule={r} /> },
  { id: 'do', header: doing, cell: ({ row: { original: r } }) => <Group gap="xs"><Edit rule={r} allowed={allowed} /><Delete rule={r} /></Group> },
]

function Enabled({ rule }: { rule: Rule }) {
  const set = useChange<boolean>({
    run: (enabled) => change(rule.id, { enabled }),
    said: (enabled) => `The rule ${rule.name} is ${enabled ? 'on' : 'off'}`,
    undo: (enabled) => change(rule.id, { enabled: !enabled }),
  })
  return <Switch aria-label={`${rule.name} is on`} checked={rule.enabled} disabled={set.isPending} onChange={(e) => set.mutate(e.currentTarget.checked)} />
}

function Edit({ rule, allowed }: { rule: Rule; allowed: string[] }) {
  return (
    <Opens label="Edit" title="Edit the rule" size="xl" closeOnClickOutside={false}>
      {(close) => <Form rule={rule} allowed={allowed} close={close} />}
    </Opens>
  )
}

function Form({ rule, allowed, close }: { rule?: Rule; allowed: string[]; close: () => void }) {
  const [name, setName] = useState(rule?.name ?? '')
  const [pattern, setPattern] = useState(rule?.pattern ?? 'team-(?P<ws>[a-z0-9-]+)')
  const [permission, setPermission] = useState(rule?.permission ?? allowed[0] ?? 'READ')
  const [mode, setMode] = useState(rule?.mode ?? 'report')
  const [tried] = useDebouncedValue(pattern, 300)
  const preview = useQuery({
    queryKey: ['rule preview', tried, permission, rule?.id],
    queryFn: () => body(api.POST('/api/3.0/mlflow/workspace-rules/preview', { body: { pattern: tried, permission, ...(rule ? { rule_id: rule.id } : {}) } })),
    enabled: tried !== '',
  })
  const seen = tried === pattern && preview.data !== undefined && !preview.isFetching
  const save = useChange({
    quiet: true,
    run: () => (rule ? change(rule.id, { name, pattern, permission, mode }) : saving(body(api.POST('/api/3.0/mlflow/workspace-rules', { body: { name, pattern, permission, mode } })))),
    said: () => `The rule ${name} is saved`,
    undo: rule && (() => change(rule.id, { name: rule.name, pattern: rule.pattern, permission: rule.permission, mode: rule.mode })),
    after: close,
  })
  return (
    <FormFrame by={save} label="Save" close={close} disabled={!seen}>
      <TextInput label="Name" required maxLength={255} value={name} onChange={(e) => setName(e.currentTarget.value)} data-autofocus />
      <TextInput label="Groups" description="RE2; it matches the whole name of a group, and (?P<ws>…) in it the name of the workspace" required maxLength={255} value={pattern} onChange={(e) => setPattern(e.currentTarget.value)} />
      <Select label="Level" data={allowed} value={permission} allowDeselect={false} onChange={(to) => to && setPermission(to)} />
      <Select label="Mode" data={[{ value: 'report', label: 'Only say what it would give' }, { value: 'enforce', label: 'Give it, now and to groups that come later' }]} value={mode} allowDeselect={false} onChange={(to) => to && setMode(to)} />
      <section aria-label="What it does" aria-busy={!seen && !preview.error}>
        <Text fw={600} size="sm">{mode === 'enforce' ? 'What it does when it is saved' : 'What it would do'}</Text>
        {preview.error ? <Trouble error={preview.error} /> : preview.data ? <Lines of={preview.data.changes ?? []} empty="Nothing: no group that is there has such a name." /> : <Text size="sm" role="status">Asking …</Text>}
      </section>
    </FormFrame>
  )
}

const words: Record<string, string> = { grant: 'gives', update: 'changes', keep: 'leaves', remove: 'takes away', skip: 'leaves out', shadowed: 'leaves to another rule' }
const most = 100

function Lines({ of, empty }: { of: Line[]; empty: string }) {
  if (of.length === 0) return <Alert variant="light" color="gray">{empty}</Alert>
  return (
    <Table.ScrollContainer minWidth={420}>
      <Table aria-label="Changes">
        <Table.Thead><Table.Tr><Table.Th scope="col">It</Table.Th><Table.Th scope="col">Group</Table.Th><Table.Th scope="col">Workspace</Table.Th><Table.Th scope="col">Level</Table.Th><Table.Th scope="col">Why</Table.Th></Table.Tr></Table.Thead>
        <Table.Tbody>
          {of.slice(0, most).map((l, i) => (
            <Table.Tr key={i}>
              <Table.Td>{words[l.action] ?? l.action}</Table.Td>
              <Table.Td><span className="name">{l.group}</span></Table.Td>
              <Table.Td><span className="name">{l.workspace}</span></Table.Td>
              <Table.Td>{l.previous && l.previous !== l.permission && <><Level level={l.previous} /> → </>}<Level level={l.permission} /></Table.Td>
              <Table.Td>{l.reason}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
      {of.length > most && <Text size="sm">and {(of.length - most).toLocaleString()} more</Text>}
    </Table.ScrollContainer>
  )
}

function Delete({ rule }: { rule: Rule }) {
  return (
    <Ask label="Delete" title={`Delete ${rule.name}?`} confirm="Delete for good" said={`The rule ${rule.name} is deleted`} run={() => saving(body(api.DELETE(one, path(rule.id))))}>
      <Taken rule={rule} />
    </Ask>
  )
}

/** What goes with a rule: what it gives now. What people changed since is theirs, and stays. */
function Taken({ rule }: { rule: Rule }) {
  const gives = rule.enabled && rule.mode === 'enforce'
  const query = useQuery({ queryKey: ['rule', rule.id], queryFn: () => body(api.GET('/api/3.0/mlflow/workspace-rules/{rule_id}/preview', path(rule.id))), enabled: gives })
  if (!gives) return <Text>It gives nothing now, and so nothing is taken from anybody.</Text>
  if (query.error) return <Trouble error={query.error} retry={() => query.refetch()} />
  if (!query.data) return <Text role="status">Asking what it gives …</Text>
  const lines = (query.data.changes ?? []).filter((l) => l.rule_id === rule.id && (l.action === 'keep' || l.action === 'update')).map((l) => ({ ...l, action: 'remove' }))
  return (
    <Stack gap="xs">
      <Text>With the rule goes what it gives, unless another rule gives it. This cannot be undone.</Text>
      <Lines of={lines} empty="It gives nothing to anybody now." />
    </Stack>
  )
}
