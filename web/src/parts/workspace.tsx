import { Select, Text } from '@mantine/core'
import { useDebouncedValue } from '@mantine/hooks'
import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { useNavigate, useSearch } from '@tanstack/react-router'
import { useState } from 'react'
import { api, body, inWorkspace, openWorkspace } from '../client'
import { type Kind, useServer } from '../facts'

/** The workspace of whatever names none. */
const standard = 'default'

// a choice of its own: Mantine's button that clears a field is hidden from the keyboard
const none = { value: '', label: 'No workspace' }

/** A field for a workspace, with those that one may be in. */
export function WorkspaceField({ value, onChange, label, hidden, clearable }: { value: string | null; onChange: (name: string | null) => void; label: string; hidden?: boolean; clearable?: boolean }) {
  const chosen = value ?? (clearable ? none.label : '')
  const [text, setText] = useState(chosen)
  const [search] = useDebouncedValue(text === chosen ? '' : text, 200)
  const query = useQuery({
    queryKey: ['workspaces', search],
    queryFn: () => body(api.GET('/api/3.0/mlflow/users/current/workspaces', { params: { query: { limit: 50, search } }, headers: inWorkspace('*') })),
    placeholderData: keepPreviousData,
  })
  const names = (query.data ?? []).map((w) => w.name)
  const all = value && !names.includes(value) ? [value, ...names] : names
  return (
    <Select searchable {...(hidden ? { 'aria-label': label, size: 'xs', w: { base: 120, xs: 180 } } : { label, required: !clearable })}
      data={clearable ? [none, ...all.map((name) => ({ value: name, label: name }))] : all} value={value ?? (clearable ? none.value : null)} onChange={(name) => onChange(name || null)} allowDeselect={false}
      searchValue={text} onSearchChange={setText} filter={({ options }) => options} nothingFoundMessage="You are in no such workspace." maxDropdownHeight={300} />
  )
}

/** The choice of the workspace that the pages are about. */
export function Chooser() {
  const { workspace } = useSearch({ strict: false }) as { workspace?: string }
  const navigate = useNavigate()
  if (!useServer().workspaces_enabled) return null
  return <WorkspaceField key={workspace ?? ''} hidden clearable label="Workspace" value={workspace ?? null} onChange={(name) => void navigate({ to: '.', search: { workspace: name ?? undefined } as never })} />
}

/** Says in which workspace something is given or listed. */
export function InWorkspace({ kind, pattern, listed }: { kind: Kind; pattern?: boolean; listed?: boolean }) {
  const { workspaces_enabled } = useServer()
  const open = openWorkspace()
  if (!workspaces_enabled || kind.name === 'workspace' || (kind.everywhere && !pattern && !listed)) return null
  if (pattern && !open) return <Text size="sm">It is for all workspaces. For one alone, choose it above first.</Text>
  return <Text size="sm">In the workspace <b className="name">{open ?? standard}</b>.</Text>
}
