import { Badge, Button, Code, Group, Modal, MultiSelect, PasswordInput, Select, Stack, Text, TextInput } from '@mantine/core'
import { keepPreviousData, useMutation, useQuery } from '@tanstack/react-query'
import { getRouteApi } from '@tanstack/react-router'
import type { ColumnDef } from '@tanstack/react-table'
import { useState } from 'react'
import { api, body, type Schema } from '../client'
import { Ask, Opens, useChange } from '../parts/ask'
import { FormFrame } from '../parts/form'
import { doing, Listing, paging } from '../parts/table'
import { PageTitle } from '../parts/title'
import { Trouble } from '../parts/trouble'
import { When } from '../parts/when'

const route = getRouteApi('/webhooks')

type Webhook = Schema['Webhook']

// What MLflow can call for. The server refuses what it does not know.
const happenings = [
  'registered_model.created', 'model_version.created', 'model_version_tag.set', 'model_version_tag.deleted', 'model_version_alias.created', 'model_version_alias.deleted',
  'prompt.created', 'prompt_version.created', 'prompt_tag.set', 'prompt_tag.deleted', 'prompt_version_tag.set', 'prompt_version_tag.deleted', 'prompt_alias.created', 'prompt_alias.deleted',
  'budget_policy.exceeded',
]

/** Webhooks of the model registry, for administrators. */
export function Webhooks() {
  const { workspace: _, ...at } = route.useSearch()
  const navigate = route.useNavigate()
  const [making, setMaking] = useState(false)
  const query = useQuery({
    queryKey: ['webhooks', at],
    queryFn: async () => {
      const { data, response } = await api.GET('/oidc/webhook', { params: { query: paging(at) } })
      return { rows: data?.webhooks ?? [], total: Number(response.headers.get('X-Total-Count') ?? 0) }
    },
    placeholderData: keepPreviousData,
  })
  return (
    <Stack>
      <PageTitle>Webhooks</PageTitle>
      <Text>MLflow calls these addresses when something happens in the model registry. They learn of all models and prompts, whoever may see those.</Text>
      <Listing label="Webhooks" identify={(w) => w.webhook_id} columns={columns} rows={query.data?.rows} total={query.data?.total} error={query.error} fetching={query.isFetching} at={at}
        go={(search) => navigate({ search, replace: true })} actions={<Button onClick={() => setMaking(true)}>New webhook</Button>}
        empty={at.q ? 'No name has this in it.' : 'There are no webhooks.'} />
      <Modal opened={making} onClose={() => setMaking(false)} title="New webhook" closeOnClickOutside={false}>
        {making && <Form close={() => setMaking(false)} />}
      </Modal>
    </Stack>
  )
}

const columns: ColumnDef<Webhook>[] = [
  { header: 'Name', cell: ({ row: { original: w } }) => <><span className="name">{w.name}</span>{w.description && <Text size="sm" c="dimmed" className="name">{w.description}</Text>}</> },
  { header: 'Calls', cell: ({ row: { original: w } }) => <span className="name">{host(w.url)}</span> },
  { header: 'On', cell: ({ row: { original: w } }) => <Group gap={4}>{(w.events ?? []).map((e) => <Badge key={e} variant="default" tt="none">{e}</Badge>)}</Group> },
  { header: 'State', cell: ({ row: { original: w } }) => <Badge variant="light" color={w.status === 'ACTIVE' ? 'cyan' : 'gray'}>{w.status === 'ACTIVE' ? 'active' : 'disabled'}</Badge> },
  { header: 'Changed', cell: ({ row: { original: w } }) => <When at={w.last_updated_timestamp} /> },
  { id: 'do', header: doing, cell: ({ row: { original: w } }) => <Group gap="xs"><Edit webhook={w} /><Test webhook={w} /><Delete webhook={w} /></Group> },
]

/** The host of an address. The rest has a secret in it with many services, and is in the form alone. */
function host(address: string) {
  try {
    return new URL(address).host
  } catch {
    return 'an address that cannot be read'
  }
}

function Edit({ webhook }: { webhook: Webhook }) {
  return (
    <Opens label="Edit" title="Edit the webhook" closeOnClickOutside={false}>
      {(close) => <Form webhook={webhook} close={close} />}
    </Opens>
  )
}

function Form({ webhook, close }: { webhook?: Webhook; close: () => void }) {
  const [name, setName] = useState(webhook?.name ?? '')
  const [url, setURL] = useState(webhook?.url ?? '')
  const [events, setEvents] = useState<string[]>(webhook?.events ?? [])
  const [description, setDescription] = useState(webhook?.description ?? '')
  const [status, setStatus] = useState(webhook?.status ?? 'ACTIVE')
  const [secret, setSecret] = useState('')
  const put = (to: { name: string; url: string; events: string[]; description: string; status: string; secret?: string }) =>
    webhook ? body(api.PUT('/oidc/webhook/{webhook_id}', { params: { path: { webhook_id: webhook.webhook_id } }, body: to })) : body(api.POST('/oidc/webhook', { body: to }))
  const save = useChange({
    quiet: true,
    run: () => put({ name, url, events, description, status, ...(secret ? { secret } : {}) }),
    said: () => (webhook ? `The webhook ${name} is changed${secret ? ', and has another secret' : ''}` : `The webhook ${name} is there`),
    undo: webhook && !secret ? () => put({ name: webhook.name, url: webhook.url, events: webhook.events ?? [], description: webhook.description ?? '', status: webhook.status }) : undefined, // the secret before is nowhere
    after: close,
  })
  return (
    <FormFrame by={save} label={webhook ? 'Save' : 'Make it'} close={close} disabled={events.length === 0} plain>
      <TextInput label="Name" required maxLength={256} value={name} onChange={(e) => setName(e.currentTarget.value)} data-autofocus />
      <TextInput label="Address" description="It begins with https://" required maxLength={2048} value={url} onChange={(e) => setURL(e.currentTarget.value)} />
      <MultiSelect label="On" required searchable data={happenings} value={events} onChange={setEvents} />
      <TextInput label="Description" maxLength={500} value={description} onChange={(e) => setDescription(e.currentTarget.value)} />
      <PasswordInput label="Secret" autoComplete="new-password" description={webhook ? 'Empty: it stays what it is. It is never shown.' : 'Calls are signed with it. It is never shown again.'} value={secret} onChange={(e) => setSecret(e.currentTarget.value)} visibilityToggleButtonProps={{ 'aria-label': 'Show what is typed' }} />
      <Select label="State" data={[{ value: 'ACTIVE', label: 'active' }, { value: 'DISABLED', label: 'disabled' }]} value={status} allowDeselect={false} onChange={(to) => to && setStatus(to)} />
    </FormFrame>
  )
}

function Test({ webhook }: { webhook: Webhook }) {
  const [open, setOpen] = useState(false)
  const test = useMutation({ mutationFn: () => body(api.POST('/oidc/webhook/{webhook_id}/test', { params: { path: { webhook_id: webhook.webhook_id } } })) })
  return (
    <>
      <Button size="compact-sm" variant="light" onClick={() => { setOpen(true); test.mutate() }}>Test</Button>
      <Modal opened={open} onClose={() => setOpen(false)} title={`Test of ${webhook.name}`}>
        <Stack>
          {test.isPending && <Text role="status">MLflow calls {host(webhook.url)} with an example …</Text>}
          {test.error && <Trouble error={test.error} retry={() => test.mutate()} />}
          {test.data && (
            <>
              <Text role="status"><Badge color={test.data.success ? 'cyan' : 'red'} variant="light">{test.data.success ? 'it worked' : 'it failed'}</Badge>{test.data.response_status !== null && ` It answered ${test.data.response_status}.`}</Text>
              {test.data.error_message && <Text className="name">{test.data.error_message}</Text>}
              {test.data.response_body && <Code block className="name" tabIndex={0}>{test.data.response_body}</Code>}
            </>
          )}
          <Group justify="end"><Button variant="default" onClick={() => setOpen(false)}>Close</Button></Group>
        </Stack>
      </Modal>
    </>
  )
}

function Delete({ webhook }: { webhook: Webhook }) {
  return (
    <Ask label="Delete" title={`Delete ${webhook.name}?`} confirm="Delete for good" said={`The webhook ${webhook.name} is deleted`}
      run={() => body(api.DELETE('/oidc/webhook/{webhook_id}', { params: { path: { webhook_id: webhook.webhook_id } } }))}>
      {host(webhook.url)} is called no longer, and the secret is gone with it. This cannot be undone.
    </Ask>
  )
}
