import { NumberInput, TextInput } from '@mantine/core'
import { useState } from 'react'
import type { Schema } from '../client'
import type { Kind } from '../facts'
import { changePattern, nameOf, type Pattern, type Principal } from '../permissions'
import { Opens, useChange } from './ask'
import { FormFrame } from './form'
import { dayOf, endOf, LevelField, Until } from './give'
import { Preview } from './preview'

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
  return (
    <Opens label="Edit" name={`Edit the pattern ${of.regex}`} title={`Change a pattern of ${nameOf(to)}`} size="lg">
      {(close) => <PatternForm to={to} kind={kind} of={of} close={close} />}
    </Opens>
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
    <FormFrame by={change} label="Change it" close={close} leave="Leave it">
      <PatternFields regex={regex} priority={priority} onRegex={setRegex} onPriority={setPriority} />
      <LevelField value={level} onChange={setLevel} />
      <Until value={until} onChange={setUntil} />
      <Preview to={to} kind={kind} id={of.id} regex={regex} priority={Number(priority)} permission={level} />
    </FormFrame>
  )
}
