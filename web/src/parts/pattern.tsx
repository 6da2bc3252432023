import { Button, Group, Modal, NumberInput, Stack, TextInput } from '@mantine/core'
import { useState } from 'react'
import type { Schema } from '../client'
import type { Kind } from '../facts'
import { changePattern, nameOf, type Pattern, type Principal } from '../permissions'
import { useChange } from './ask'
import { dayOf, endOf, LevelField, Until } from './give'
import { Preview } from './preview'
import { Trouble } from './trouble'

/** The fields of a pattern itself. */
export function PatternFields({ regex, priority, onRegex, onPriority }: { regex: string; priority: number | string; onRegex: (to: string) => void; onPriority: (to: number | string) => void }) {
  return (
    <>
      <TextInput label="Pattern" required value={regex} onChange={(e) => onRegex(e.currentTarget.value)} maxLength={255}
        description="RE2; it matches from the start of a name: team-a/.* is all that begins with team-a/" />
      <NumberInput label="Priority" description="The smallest decides" value={priority} onChange={onPriority} allowDecimal={false} min={-2_147_483_648} max={2_147_483_647} required />
    </>
  )
}

/** A button that opens a pattern to be changed. */
export function EditPattern({ to, kind, of }: { to: Principal; kind: Kind; of: Schema['Holding'] }) {
  const [open, setOpen] = useState(false)
  return (
    <>
      <Button size="compact-sm" variant="light" aria-label={`Edit the pattern ${of.regex}`} onClick={() => setOpen(true)}>Edit</Button>
      <Modal opened={open} onClose={() => setOpen(false)} title={`Change a pattern of ${nameOf(to)}`} size="lg">
        {open && <PatternForm to={to} kind={kind} of={of} close={() => setOpen(false)} />}
      </Modal>
    </>
  )
}

function PatternForm({ to, kind, of, close }: { to: Principal; kind: Kind; of: Schema['Holding']; close: () => void }) {
  const was: Pattern = { regex: of.regex ?? '', priority: of.priority ?? 0, permission: of.permission, expires_at: of.expires_at ?? null }
  const [regex, setRegex] = useState(was.regex)
  const [priority, setPriority] = useState<number | string>(was.priority)
  const [level, setLevel] = useState(was.permission)
  const [until, setUntil] = useState(dayOf(of.expires_at))
  const is: Pattern = { regex, priority: Number(priority), permission: level, ...(until === dayOf(of.expires_at) ? {} : { expires_at: endOf(until) }) }
  const change = useChange({
    quiet: true,
    run: () => changePattern(to, kind, of.id, is),
    said: () => `The pattern of ${nameOf(to)} is changed`,
    undo: () => changePattern(to, kind, of.id, was),
    after: close,
  })
  return (
    <form onSubmit={(e) => { e.preventDefault(); change.mutate() }}>
      <Stack>
        <PatternFields regex={regex} priority={priority} onRegex={setRegex} onPriority={setPriority} />
        <LevelField value={level} onChange={setLevel} />
        <Until value={until} onChange={setUntil} />
        <Preview to={to} kind={kind} id={of.id} regex={regex} priority={Number(priority)} permission={level} />
        {change.error && <Trouble error={change.error} />}
        <Group justify="end">
          <Button variant="default" onClick={close}>Leave it</Button>
          <Button type="submit" loading={change.isPending}>Change it</Button>
        </Group>
      </Stack>
    </form>
  )
}
