import { Alert, Badge, Button, Group, Loader, Modal, Select, Stack, Tabs, Text } from '@mantine/core'
import { keepPreviousData, useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { getRouteApi } from '@tanstack/react-router'
import type { ColumnDef } from '@tanstack/react-table'
import { useState } from 'react'
import { api, body, mlflow, Refusal, type Schema } from '../client'
import { Ask, useChange } from '../parts/ask'
import { doing, Listing, pageSize, paging, type Place } from '../parts/table'
import { PageTitle } from '../parts/title'
import { Trouble } from '../parts/trouble'
import { When } from '../parts/when'

const route = getRouteApi('/trash')

type Experiment = Schema['TrashedExperiment']
type Run = Schema['TrashedRun']
type Tab = { at: Place; go: (to: Place) => void }

const ages = [{ value: '1d', label: 'a day' }, { value: '7d', label: '7 days' }, { value: '30d', label: '30 days' }, { value: '90d', label: '90 days' }]
const lasting = (age: string) => ages.find((a) => a.value === age)?.label ?? age

async function experiments(at: Place, age?: string, limit = pageSize) {
  const { data, response } = await api.GET('/oidc/trash/experiments', { params: { query: { ...paging(at), limit, older_than: age ?? '' } } })
  return { rows: data?.deleted_experiments ?? [], total: Number(response.headers.get('X-Total-Count') ?? 0) }
}

async function runs(at: Place, limit = pageSize) {
  const { data, response } = await api.GET('/oidc/trash/runs', { params: { query: { ...paging(at), limit } } })
  return { rows: data?.deleted_runs ?? [], total: Number(response.headers.get('X-Total-Count') ?? 0) }
}

/** What was deleted and can be had back, for administrators. */
export function Trash() {
  const { tab = 'experiments', age, workspace: _, ...at } = route.useSearch()
  const navigate = route.useNavigate()
  const [cleaning, setCleaning] = useState(false)
  const go = (to: Place) => void navigate({ search: { tab, age, ...to }, replace: true })
  return (
    <Stack>
      <Group justify="space-between" align="end">
        <PageTitle>Trash</PageTitle>
        <Group align="end" gap="sm">
          <Select label="In the trash for at least" allowDeselect={false} data={[{ value: '', label: 'any time' }, ...ages]} value={age ?? ''} onChange={(to) => navigate({ search: { tab, age: to || undefined } })} />
          <Button color="red" variant="light" onClick={() => setCleaning(true)}>Clean up</Button>
        </Group>
      </Group>
      <Text>What was deleted in MLflow is here until it is cleaned up, and can be had back. Permissions on an experiment are back with it.</Text>
      <Tabs value={tab} onChange={(to) => navigate({ search: { tab: to ?? undefined, age } })} keepMounted={false}>
        <Tabs.List>
          <Tabs.Tab value="experiments">Experiments</Tabs.Tab>
          <Tabs.Tab value="runs">Runs</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="experiments" pt="md"><Experiments at={at} age={age} go={go} /></Tabs.Panel>
        <Tabs.Panel value="runs" pt="md">
          {age && <Alert variant="light" color="gray" mb="sm">MLflow does not say when a run was deleted: these are all. A clean-up leaves those that are younger.</Alert>}
          <Runs at={at} go={go} />
        </Tabs.Panel>
      </Tabs>
      <Modal opened={cleaning} onClose={() => setCleaning(false)} title="Clean up the trash?" closeOnClickOutside={false}>
        {cleaning && <CleanUp age={age} close={() => setCleaning(false)} />}
      </Modal>
    </Stack>
  )
}

function Experiments({ at, age, go }: Tab & { age?: string }) {
  const query = useQuery({ queryKey: ['trash', 'experiments', at, age], queryFn: () => experiments(at, age), placeholderData: keepPreviousData })
  return (
    <Listing label="Experiments" identify={(e) => e.experiment_id} columns={experimentColumns} rows={query.data?.rows} total={query.data?.total} error={query.error} fetching={query.isFetching} at={at} go={go}
      empty={at.q ? 'Nothing here has this in its name.' : age ? 'No experiment has been here for so long.' : 'There is no experiment in the trash.'} />
  )
}

function Runs({ at, go }: Tab) {
  const query = useQuery({ queryKey: ['trash', 'runs', at], queryFn: () => runs(at), placeholderData: keepPreviousData })
  return (
    <Listing label="Runs" identify={(r) => r.run_id} columns={runColumns} rows={query.data?.rows} total={query.data?.total} error={query.error} fetching={query.isFetching} at={at} go={go}
      empty={at.q ? 'Nothing here has this in its name.' : 'There is no run in the trash.'} />
  )
}

const experimentColumns: ColumnDef<Experiment>[] = [
  { header: 'Name', cell: ({ row: { original: e } }) => <span className="name">{e.name}</span> },
  { header: 'Id', cell: ({ row: { original: e } }) => <span className="name">{e.experiment_id}</span> },
  { header: 'Deleted', cell: ({ row: { original: e } }) => <When at={e.last_update_time} /> },
  { id: 'do', header: doing, cell: ({ row: { original: e } }) => <OneExperiment of={e} /> },
]

const runColumns: ColumnDef<Run>[] = [
  { header: 'Name', cell: ({ row: { original: r } }) => <span className="name">{r.run_name || r.run_id}</span> },
  { header: 'Experiment', cell: ({ row: { original: r } }) => <span className="name">{r.experiment_id}</span> },
  { header: 'Status', cell: ({ row: { original: r } }) => r.status && <Badge variant="default">{r.status}</Badge> },
  { header: 'Ended', cell: ({ row: { original: r } }) => <When at={r.end_time} /> },
  { id: 'do', header: doing, cell: ({ row: { original: r } }) => <OneRun of={r} /> },
]

function OneExperiment({ of }: { of: Experiment }) {
  const id = of.experiment_id
  const restore = useChange({
    run: () => body(api.POST('/oidc/trash/experiments/{experiment_id}/restore', { params: { path: { experiment_id: id } } })),
    said: () => `The experiment ${of.name} is back`,
    undo: () => mlflow('/api/2.0/mlflow/experiments/delete', { experiment_id: id }),
  })
  return (
    <Group gap="xs">
      <Button size="compact-sm" variant="light" loading={restore.isPending} onClick={() => restore.mutate()}>Restore</Button>
      <Ask label="Delete for good" title={`Delete ${of.name} for good?`} confirm="Delete for good" said={`The experiment ${of.name} is gone`} run={() => gone({ experiment_ids: id })}>
        With the experiment go its runs, their files, and all permissions on it. This cannot be undone.
      </Ask>
    </Group>
  )
}

function OneRun({ of }: { of: Run }) {
  const id = of.run_id
  const name = of.run_name || id
  const restore = useChange({
    run: () => body(api.POST('/oidc/trash/runs/{run_id}/restore', { params: { path: { run_id: id } } })),
    said: () => `The run ${name} is back`,
    undo: () => mlflow('/api/2.0/mlflow/runs/delete', { run_id: id }),
  })
  return (
    <Group gap="xs">
      <Button size="compact-sm" variant="light" loading={restore.isPending} onClick={() => restore.mutate()}>Restore</Button>
      <Ask label="Delete for good" title={`Delete ${name} for good?`} confirm="Delete for good" said={`The run ${name} is gone`} run={() => gone({ run_ids: id })}>
        With the run go its metrics and its files. This cannot be undone.
      </Ask>
    </Group>
  )
}

type Cleaned = Schema['Cleaned']

const clean = (query: { older_than?: string; run_ids?: string; experiment_ids?: string }) => body(api.POST('/oidc/trash/cleanup', { params: { query } }))

/** What could not be deleted, and why. */
const failures = (done: Cleaned) => [...(done.failed_experiments ?? []).map((f) => `Experiment ${f.experiment_id}: ${f.error}`), ...(done.failed_runs ?? []).map((f) => `Run ${f.run_id}: ${f.error}`)]

/** Deletes what is named for good; what stays is an error. */
async function gone(query: { run_ids?: string; experiment_ids?: string }) {
  const failed = failures(await clean(query))
  if (failed.length > 0) throw new Refusal(500, '', failed.join('; '), '')
}

const counted = (n: number, what: string) => `${n.toLocaleString()} ${what}${n === 1 ? '' : 's'}`

function CleanUp({ age, close }: { age?: string; close: () => void }) {
  const queries = useQueryClient()
  const all = useQuery({
    queryKey: ['trash', 'count', age],
    queryFn: async () => ({ experiments: (await experiments({}, age, 1)).total, runs: (await runs({}, 1)).total }),
  })
  const run = useMutation({ mutationFn: () => clean(age ? { older_than: age } : {}), onSettled: () => queries.invalidateQueries() })
  if (run.data) {
    const failed = failures(run.data)
    return (
      <Stack>
        <Text role="status">Deleted for good: {counted(run.data.total_deleted_experiments, 'experiment')} and {counted(run.data.total_deleted_runs, 'run')}.</Text>
        {failed.length > 0 && <Alert color="yellow" title={`${failed.length.toLocaleString()} could not be deleted, and are still here`}><ul>{failed.map((f) => <li key={f} className="name">{f}</li>)}</ul></Alert>}
        <Group justify="end"><Button onClick={close}>Close</Button></Group>
      </Stack>
    )
  }
  return (
    <Stack>
      {all.error ? <Trouble error={all.error} retry={() => all.refetch()} /> : (
        <Text>
          {all.data ? counted(all.data.experiments, 'experiment') : '…'}{age && ` that ${all.data?.experiments === 1 ? 'has' : 'have'} been in the trash for at least ${lasting(age)}`}, with all in {all.data?.experiments === 1 ? 'it' : 'them'}, and
          {' '}{all.data ? counted(all.data.runs, 'run') : '…'}{age && ', of which those that were deleted later stay'}, with their files, are deleted for good. This cannot be undone.
        </Text>
      )}
      {run.isPending && <Group gap="sm" role="status"><Loader size="sm" /><Text size="sm">Deleting. Many files take minutes: leave this page open.</Text></Group>}
      {run.error && <Trouble error={run.error} />}
      <Group justify="end">
        <Button variant="default" disabled={run.isPending} onClick={close}>Leave it</Button>
        <Button color="red" loading={run.isPending} disabled={!all.data || all.data.experiments + all.data.runs === 0} onClick={() => run.mutate()}>Delete for good</Button>
      </Group>
    </Stack>
  )
}
