import { Alert, Select, Stack, Text, Textarea, TextInput } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { getRouteApi } from '@tanstack/react-router'
import { useState } from 'react'
import { useTable } from '../facts'
import { useChange } from '../parts/ask'
import { FormFrame } from '../parts/form'
import { endOf, KindField, Until } from '../parts/give'
import { PageLink } from '../parts/link'
import { Outcome, useWanted } from '../parts/requests'
import { PageTitle } from '../parts/title'
import { When } from '../parts/when'
import { ask, mineOn } from '../requests'
import { Withdraw } from './requests'

const route = getRouteApi('/ask')

/** Asks for a level on a resource: the one that the address names, or any other. */
export function AskForAccess() {
  const search = route.useSearch()
  return (
    <Stack maw={640}>
      <PageTitle>Ask for access</PageTitle>
      <Text>Whoever manages it decides, or an administrator. They see your name and your reason. You find the answer under <PageLink to="/requests" underline="always" search={{ tab: 'mine' }}>My requests</PageLink>.</Text>
      <Form key={`${search.kind} ${search.id} ${search.level}`} {...search} />
    </Stack>
  )
}

function Form(at: { kind?: string; id?: string; level?: string }) {
  const { kinds } = useTable()
  const wanted = useWanted()
  const navigate = route.useNavigate()
  const [name, setName] = useState(kinds.some((k) => k.name === at.kind) ? at.kind! : kinds[0]!.name)
  const [id, setID] = useState(at.id ?? '')
  const [level, setLevel] = useState(wanted.includes(at.level ?? '') ? at.level! : 'READ')
  const [reason, setReason] = useState('')
  const [until, setUntil] = useState('')
  const kind = kinds.find((k) => k.name === name)!
  const send = useChange({
    quiet: true,
    run: () => ask({ kind: name, id, permission: level, reason, ...(until ? { expires_at: endOf(until) } : {}) }),
    said: () => `You have asked for ${level}`,
    after: () => navigate({ search: { kind: name, id, level }, replace: true }),
  })
  return (
    <>
      {at.kind && at.id && <Before kind={at.kind} id={at.id} />}
      <FormFrame by={send} label="Ask">
        <KindField value={name} onChange={(to) => setName(to.name)} />
        <TextInput label={kind.parent ? `Id of the ${kind.parent}, a slash, and the name` : kind.by_id ? 'Id' : 'Name'} required maxLength={255} value={id} onChange={(e) => setID(e.currentTarget.value)} />
        <Select label="Level" data={wanted} value={level} allowDeselect={false} onChange={(to) => to && setLevel(to)} />
        <Textarea label="Reason" description="What you need it for" required maxLength={1000} rows={4} value={reason} onChange={(e) => setReason(e.currentTarget.value)} />
        <Until value={until} onChange={setUntil} />
      </FormFrame>
    </>
  )
}

/** What one has asked for here before. */
function Before({ kind, id }: { kind: string; id: string }) {
  const { data: r } = useQuery(mineOn(kind, id))
  if (!r) return null
  return (
    <Alert variant="light" color="blue" title={r.status === 'open' ? `You have asked for ${r.permission}` : `You asked for ${r.permission}`}>
      <Stack gap="xs" align="start">
        <Text size="sm"><When at={r.asked_at} />. Asking again takes its place.</Text>
        {r.status === 'open' ? <Withdraw request={r} /> : <Outcome of={r} />}
      </Stack>
    </Alert>
  )
}
