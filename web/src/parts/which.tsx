import { Autocomplete, Stack } from '@mantine/core'
import { useDebouncedValue } from '@mantine/hooks'
import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { useEffect, useState } from 'react'
import { api, body, page } from '../client'
import { type Kind, useKind } from '../facts'
import { ofKind } from '../permissions'

const found = 10

type Field = { kind: Kind; value: string; onChange: (resource: string) => void; optional?: boolean; label?: string }

/** A field for one resource of a kind: it is found by its name, and the value is what permissions hold of it. */
export function Which(field: Field) {
  return field.kind.parent ? <Inner {...field} parent={field.kind.parent} /> : <Named {...field} />
}

function Named({ kind, value, onChange, optional, label }: Field) {
  const [text, setText] = useState(value)
  const [search] = useDebouncedValue(text, 200)
  const query = useQuery({
    queryKey: ['resources', kind.name, 'found', search],
    queryFn: async () => (await page(api.GET(ofKind('/api/2.0/mlflow/permissions/experiments', kind), { params: { query: { limit: found, search } } }))).rows
      .map((row) => ({ name: String(row.name ?? ''), id: String((kind.by_id ? row.id : row.name) ?? '') })),
    placeholderData: keepPreviousData,
  })
  const rows = query.data ?? []
  useEffect(() => { // what was typed is found
    const one = rows.find((row) => row.name === text)
    if (one && one.id !== value) onChange(one.id)
  }, [query.data])
  function typed(to: string) {
    setText(to)
    const one = rows.find((row) => row.name === to)
    onChange(one ? one.id : !kind.by_id || /^[0-9]+$/.test(to) ? to : '')
  }
  const named = kind.by_id ? (value ? `Its id is ${value}` : text ? 'Choose one of those found, or write its id' : 'A part of its name, or its id') : undefined
  return (
    <Autocomplete label={label ?? kind.title.charAt(0).toUpperCase() + kind.title.slice(1)} required={!optional} value={text} onChange={typed} description={named}
      data={[...new Set(rows.map((row) => row.name))]} filter={({ options }) => options} maxLength={512} maxDropdownHeight={240} error={query.error ? query.error.message : undefined} />
  )
}

/** A resource within another is named by both. */
function Inner({ kind, parent, value, onChange, optional }: Field & { parent: string }) {
  const outer = useKind(parent)!
  const [within, ...rest] = value.split('/')
  const [at, setAt] = useState(within ?? '')
  const [name, setName] = useState(rest.join('/'))
  const query = useQuery({
    queryKey: ['inner', kind.name, at],
    queryFn: async () => ((await body(api.GET('/api/3.0/mlflow/permissions/scorers/{experiment_id}', { params: { path: { experiment_id: at } } }))) ?? []).map((row) => String(row.name)),
    enabled: at !== '',
  })
  const both = (outerID: string, innerName: string) => onChange(outerID && innerName ? `${outerID}/${innerName}` : '')
  return (
    <Stack>
      <Which kind={outer} value={at} optional={optional} label={`In the ${outer.title}`} onChange={(to) => { setAt(to); both(to, name) }} />
      <Autocomplete label={`Name of the ${kind.title}`} required={!optional} value={name} data={[...new Set(query.data ?? [])]} limit={found} maxLength={255} onChange={(to) => { setName(to); both(at, to) }} />
    </Stack>
  )
}
