import { Autocomplete, SegmentedControl, Select, TextInput } from '@mantine/core'
import { useDebouncedValue } from '@mantine/hooks'
import { keepPreviousData, useMutation, useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { api, body } from '../client'
import { type Kind, useTable } from '../facts'
import type { Given, Principal } from '../permissions'
import { FormFrame } from './form'

const found = 10

/** A field for the name of a user or a group, with what the server finds for what was typed. */
export function Whom({ groups, value, onChange, service, label, optional }: { groups?: boolean; service?: boolean; label?: string; optional?: boolean; value: string; onChange: (name: string) => void }) {
  const [search] = useDebouncedValue(value, 200)
  const query = useQuery({
    queryKey: ['names', groups, service, search],
    queryFn: () => {
      const params = { params: { query: { limit: found, search, ...(groups ? {} : { service }) } } }
      return groups ? body(api.GET('/api/2.0/mlflow/permissions/groups', params)) : body(api.GET('/api/2.0/mlflow/users', params))
    },
    placeholderData: keepPreviousData,
  })
  return (
    <Autocomplete label={label ?? (groups ? 'Group' : 'User')} required={!optional} value={value} onChange={onChange} data={query.data ?? []} filter={({ options }) => options} maxLength={255} maxDropdownHeight={240} />
  )
}

/** A field for until when something is given: the last day, or no end. */
export function Until({ value, onChange }: { value: string; onChange: (day: string) => void }) {
  return <TextInput type="date" label="Last day" description="Empty: it has no end" value={value} onChange={(e) => onChange(e.currentTarget.value)} />
}

/** The end of a day in the viewer's zone, as the API takes it. */
export const endOf = (day: string) => (day ? new Date(`${day}T23:59:59`).toISOString() : null)

/** The last day of what has an end, as the field for it takes it. */
export function dayOf(end?: string | null) {
  if (!end) return ''
  const at = new Date(end)
  return [at.getFullYear(), at.getMonth() + 1, at.getDate()].map((part) => String(part).padStart(2, '0')).join('-')
}

/** A field for a level. */
export function LevelField({ value, onChange, label = 'Level' }: { value: string; onChange: (level: string) => void; label?: string }) {
  const { levels } = useTable()
  return <Select label={label} data={levels} value={value} allowDeselect={false} onChange={(level) => level && onChange(level)} />
}

/** A field for a kind. */
export function KindField({ value, onChange }: { value: string; onChange: (kind: Kind) => void }) {
  const { kinds } = useTable()
  return <Select label="Kind" data={kinds.map((k) => ({ value: k.name, label: k.title }))} value={value} allowDeselect={false} onChange={(name) => onChange(kinds.find((k) => k.name === (name ?? value))!)} />
}

/** A form that gives somebody a level. */
export function GiveForm({ run, close }: { run: (to: Principal, given: Given) => Promise<unknown>; close: () => void }) {
  const [side, setSide] = useState('user')
  const [name, setName] = useState('')
  const [level, setLevel] = useState('READ')
  const [until, setUntil] = useState('')
  const give = useMutation({
    mutationFn: () => run(side === 'user' ? { user: name } : { group: name }, { permission: level, ...(until ? { expires_at: endOf(until) } : {}) }),
    onSuccess: close,
  })
  return (
    <FormFrame by={give} label="Give" close={close} disabled={!name}>
      <SegmentedControl aria-label="Whom" value={side} onChange={(to) => { setSide(to); setName('') }} data={[{ value: 'user', label: 'A user' }, { value: 'group', label: 'A group' }]} />
      <Whom key={side} groups={side === 'group'} value={name} onChange={setName} />
      <LevelField value={level} onChange={setLevel} />
      <Until value={until} onChange={setUntil} />
    </FormFrame>
  )
}
