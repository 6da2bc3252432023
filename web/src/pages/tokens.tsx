import { Alert, Badge, Button, Checkbox, Code, CopyButton, Group, Modal, MultiSelect, Stack, Text, TextInput } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import type { ColumnDef } from '@tanstack/react-table'
import { useState } from 'react'
import { api, body, type Schema } from '../client'
import { useServer, useTable } from '../facts'
import { Ask } from '../parts/ask'
import { FormFrame } from '../parts/form'
import { dayOf, endOf } from '../parts/give'
import { doing, Rows } from '../parts/table'
import { PageTitle } from '../parts/title'
import { When } from '../parts/when'

type Token = Schema['Personal']
type Wanted = { name: string; expiration: string | null; scope?: Schema['ScopeBody'] }

/** One's own access tokens. */
export function MyTokens() {
  const query = useQuery({ queryKey: ['tokens'], queryFn: () => body(api.GET('/api/2.0/mlflow/users/current/tokens')) })
  const [making, setMaking] = useState(false)
  return (
    <Stack>
      <Group justify="space-between">
        <PageTitle>My tokens</PageTitle>
        <Button onClick={() => setMaking(true)}>New token</Button>
      </Group>
      <Text>A token signs programs in as you: the mlflow client, scripts and notebooks. Whoever has it can do what you can do, so give each program its own.</Text>
      <Rows label="My tokens" identify={(t) => String(t.id)} columns={columns} rows={query.data?.tokens ?? undefined} error={query.error}
        empty="You have no tokens. Make one for a program that is to act as you." />
      <NewToken opened={making} close={() => setMaking(false)} />
    </Stack>
  )
}

const columns: ColumnDef<Token>[] = [
  { header: 'Name', cell: ({ row: { original: t } }) => <><span className="name">{t.name}</span><br /><Code>{t.token_prefix}…</Code></> },
  { header: 'Limited to', cell: ({ row: { original: t } }) => <Scope of={t} /> },
  { header: 'Made', cell: ({ row: { original: t } }) => <When at={t.created_at} /> },
  { header: 'Last used', cell: ({ row: { original: t } }) => <When at={t.last_used_at} none="never" /> },
  { header: 'Ends', cell: ({ row: { original: t } }) => <When at={t.expires_at} /> },
  {
    id: 'revoke',
    header: doing,
    cell: ({ row: { original: t } }) => (
      <Ask label="Revoke" title={`Revoke ${t.name}?`} confirm="Revoke" said={`The token ${t.name} is revoked`}
        run={() => body(api.DELETE('/api/2.0/mlflow/users/current/tokens/{token_id}', { params: { path: { token_id: t.id } } }))}>
        Programs that use it are refused at once. It cannot be brought back.
      </Ask>
    ),
  },
]

function Scope({ of }: { of: Token }) {
  if (!of.scope) return <Text span size="sm" c="dimmed">nothing</Text>
  return (
    <Group gap={4}>
      {of.scope.read_only && <Badge variant="default">reading</Badge>}
      {(of.scope.kinds ?? []).map((k) => <Badge key={k} variant="default">{k}</Badge>)}
      {(of.scope.resources ?? []).map((r) => <Badge key={`${r.kind} ${r.id}`} variant="default">{r.kind} {r.id}</Badge>)}
    </Group>
  )
}

/** The dialog that makes a token and shows it once: no slip closes it while the token is in it. */
function NewToken({ opened, close }: { opened: boolean; close: () => void }) {
  const queries = useQueryClient()
  const make = useMutation({
    mutationFn: (wanted: Wanted) => body(api.POST('/api/2.0/mlflow/users/current/tokens', { body: wanted })),
    onSuccess: () => queries.invalidateQueries({ queryKey: ['tokens'] }),
    gcTime: 0, // the token itself is nowhere once this dialog is closed
  })
  function leave() {
    make.reset()
    close()
  }
  return (
    <Modal opened={opened} onClose={leave} title="New token" closeOnClickOutside={false} closeOnEscape={!make.data}>
      {make.data ? <Made token={make.data.token} close={leave} />
        : opened && <TokenForm make={make} close={leave} />}
    </Modal>
  )
}

function Made({ token, close }: { token: string; close: () => void }) {
  return (
    <Stack>
      <Alert color="yellow" title="Copy it now">It is shown this once.</Alert>
      <Code block className="name" data-testid="token">{token}</Code>
      <Group justify="end">
        <CopyButton value={token}>{({ copied, copy }) => <Button variant="default" onClick={copy}>{copied ? 'Copied' : 'Copy'}</Button>}</CopyButton>
        <Button onClick={close}>Done</Button>
      </Group>
    </Stack>
  )
}

function TokenForm({ make, close }: { make: { mutate: (wanted: Wanted) => void; isPending: boolean; error: unknown }; close: () => void }) {
  const { kinds } = useTable()
  const most = useServer().token_lifetime_days
  const [name, setName] = useState('')
  const [until, setUntil] = useState(day(Math.min(90, most)))
  const [reading, setReading] = useState(false)
  const [only, setOnly] = useState<string[]>([])
  function submit() {
    const scope = reading || only.length ? { read_only: reading || undefined, kinds: only.length ? only : undefined } : undefined
    make.mutate({ name, expiration: endOf(until), scope })
  }
  return (
    <FormFrame by={{ ...make, mutate: submit }} label="Make it" close={close}>
      <TextInput label="Name" description="What it is for, such as nightly training" required maxLength={255} value={name} onChange={(e) => setName(e.currentTarget.value)} data-autofocus />
      <TextInput type="date" label="Last day" description={`At most ${most} days from now`} required value={until} min={day(0)} max={day(most)} onChange={(e) => setUntil(e.currentTarget.value)} />
      <Checkbox label="For reading alone" checked={reading} onChange={(e) => setReading(e.currentTarget.checked)} />
      <MultiSelect label="For these kinds alone" placeholder={only.length ? undefined : 'All kinds'} data={kinds.map((k) => ({ value: k.name, label: k.title }))} value={only} onChange={setOnly} />
    </FormFrame>
  )
}

/** The day in some days, as date fields write it, in the viewer's zone. */
function day(ahead: number) {
  const at = new Date()
  at.setDate(at.getDate() + ahead)
  return dayOf(at.toISOString())
}
