import { Select, Text } from '@mantine/core'
import { useState } from 'react'
import type { Schema } from '../client'
import { type Kind, useMe, useTable } from '../facts'
import { backwards, bulk, type BulkChange, type Outcome, type Principal, together, undoable } from '../permissions'
import { Ask, Opens, useChange } from './ask'
import { FormFrame } from './form'
import { endOf, GiveForm, KindField, LevelField, Until } from './give'
import { type Choice, Chosen } from './table'
import { Which } from './which'

type Holding = Schema['Holding']

/** The taking away of something that is held. */
function of(h: Holding): BulkChange {
  const whose = { user: h.user, group: h.group, kind: h.kind, do: 'take' as const }
  return h.regex === undefined ? { ...whose, resource: h.resource, workspace: h.workspace } : { ...whose, id: h.id }
}

const changed = (h: Holding, to: { permission?: string; expires_at?: string | null }): BulkChange =>
  ({ ...of(h), regex: h.regex, priority: h.priority, permission: h.permission, ...to, do: 'change' })

/** Whether something is what its holder, who looks at it, may change it by. */
export function useMine() {
  const me = useMe()
  return (h: Holding) => !me.is_admin && h.permission === 'MANAGE' && (h.user === me.username || (me.groups ?? []).some((g) => g.group_name === h.group))
}

/** What has to be known before something is taken away or changed, where there is anything. */
export function Beware({ rows }: { rows: Holding[] }) {
  const mine = useMine()
  return (
    <>
      {rows.some(mine) && <Text mt="xs">It is by this that you may change permissions here. Without it you cannot give it back: somebody else has to.</Text>}
      {rows.some((h) => h.by_rule) && <Text mt="xs">A workspace rule has given it, and gives it again when it is applied. This cannot be undone: what is given by hand is the rule’s no more.</Text>}
    </>
  )
}

/** Tells whether all of some rows can be put back by whoever changes them. */
export function useReturnable() {
  const mine = useMine()
  return (rows: Holding[]) => !rows.some((h) => h.by_rule || mine(h))
}

/** The first few of many. */
function Few({ names }: { names: string[] }) {
  return <ul>{names.slice(0, 5).map((name, i) => <li key={i} className="name">{name}</li>)}{names.length > 5 && <li>and {names.length - 5} more</li>}</ul>
}

const permissions = (count: number) => (count === 1 ? '1 permission' : `${count.toLocaleString()} permissions`)

/** What can be done with several of what is held. */
export function SeveralHeld({ choice }: { choice: Choice<Holding> }) {
  const rows = [...choice.chosen.values()]
  const returnable = useReturnable()
  const changes = rows.map(of)
  return (
    <Chosen choice={choice} most={together}>
      <Opens label="Change …" title={`Change ${permissions(rows.length)}`}>{(close) => <ChangeForm choice={choice} close={close} />}</Opens>
      <Ask<Outcome[]> label="Take away …" title={`Take ${permissions(rows.length)} away?`} confirm="Take away" said={`${permissions(rows.length)} taken away`}
        run={() => bulk(changes)} undo={returnable(rows) ? (outcomes) => bulk(backwards(changes, outcomes)) : undefined} after={() => choice.choose(new Map())}>
        <Few names={rows.map(choice.name)} />
        <Beware rows={rows} />
      </Ask>
    </Chosen>
  )
}

function ChangeForm({ choice, close }: { choice: Choice<Holding>; close: () => void }) {
  const { levels } = useTable()
  const [rows] = useState([...choice.chosen.values()])
  const returnable = useReturnable()
  const [level, setLevel] = useState('')
  const [end, setEnd] = useState('')
  const [until, setUntil] = useState('')
  const changes = rows.map((h) => changed(h, { ...(level ? { permission: level } : {}), ...(end ? { expires_at: end === 'none' ? null : endOf(until) } : {}) }))
  const set = useChange<void, Outcome[]>({
    quiet: true,
    run: () => bulk(changes),
    said: () => `${permissions(rows.length)} changed`,
    undo: returnable(rows) ? (_, outcomes) => bulk(backwards(changes, outcomes)) : undefined,
    after: () => { choice.choose(new Map()); close() },
  })
  return (
    <FormFrame by={set} label={<>Change {permissions(rows.length)}</>} close={close} leave="Leave them" disabled={!level && !end || end === 'day' && !until}>
      <Few names={rows.map(choice.name)} />
      <Select label="Level" allowDeselect={false} value={level} onChange={(to) => setLevel(to ?? '')} data={[{ value: '', label: 'as each has it' }, ...levels]} />
      <Select label="End" allowDeselect={false} value={end} onChange={(to) => setEnd(to ?? '')} data={[{ value: '', label: 'as each has it' }, { value: 'none', label: 'no end' }, { value: 'day', label: 'after a day' }]} />
      {end === 'day' && <Until value={until} onChange={setUntil} />}
      <Beware rows={rows} />
    </FormFrame>
  )
}

/** Gives something on several resources of a kind to one user or group. */
export function GiveOnSeveral<T>({ choice, kind, id }: { choice: Choice<T>; kind: Kind; id: (row: T) => string }) {
  const count = choice.chosen.size
  const give = useChange<BulkChange[], Outcome[]>({
    quiet: true,
    run: bulk,
    said: (changes) => `${changes[0]?.user ?? changes[0]?.group} has ${changes[0]?.permission} on ${count.toLocaleString()}`,
    undo: (changes, outcomes) => bulk(backwards(changes, outcomes)),
    undoable,
    after: () => choice.choose(new Map()),
  })
  return (
    <Chosen choice={choice} most={together}>
      <Opens label="Give a permission on them …" title={`Give a permission on ${count.toLocaleString()}`}>
        {(close) => (
          <>
            <Few names={[...choice.chosen.values()].map(choice.name)} />
            <Text size="sm" mb="sm">Whoever holds one there already has this one instead.</Text>
            <GiveForm close={close} run={(to, given) => give.mutateAsync([...choice.chosen.values()].map((row) => ({ ...to, ...given, do: 'set' as const, kind: kind.name, resource: id(row) })))} />
          </>
        )}
      </Opens>
    </Chosen>
  )
}

/** Gives several users or groups something on one resource. */
export function GiveToSeveral<T>({ choice, whom }: { choice: Choice<T>; whom: (row: T) => Principal }) {
  return (
    <Chosen choice={choice} most={together}>
      <Opens label="Give them a permission …" title={`Give ${choice.chosen.size.toLocaleString()} of them a permission`}>
        {(close) => <ToSeveral choice={choice} whom={whom} close={close} />}
      </Opens>
    </Chosen>
  )
}

function ToSeveral<T>({ choice, whom, close }: { choice: Choice<T>; whom: (row: T) => Principal; close: () => void }) {
  const { kinds } = useTable()
  const [rows] = useState([...choice.chosen.values()])
  const [kind, setKind] = useState(kinds[0]!)
  const [resource, setResource] = useState('')
  const [level, setLevel] = useState('READ')
  const [until, setUntil] = useState('')
  const changes = rows.map((row): BulkChange => ({ ...whom(row), do: 'set', kind: kind.name, resource, permission: level, ...(until ? { expires_at: endOf(until) } : {}) }))
  const give = useChange<void, Outcome[]>({
    quiet: true,
    run: () => bulk(changes),
    said: () => `${rows.length.toLocaleString()} have ${level}`,
    undo: (_, outcomes) => bulk(backwards(changes, outcomes)),
    undoable,
    after: () => { choice.choose(new Map()); close() },
  })
  return (
    <FormFrame by={give} label="Give" close={close} disabled={!resource}>
      <Few names={rows.map(choice.name)} />
      <KindField value={kind.name} onChange={(to) => { setKind(to); setResource('') }} />
      <Which key={kind.name} kind={kind} value={resource} onChange={setResource} />
      <LevelField value={level} onChange={setLevel} />
      <Until value={until} onChange={setUntil} />
      <Text size="sm">Whoever holds one there already has this one instead.</Text>
    </FormFrame>
  )
}
