import { Badge, Button, Group, Select } from '@mantine/core'
import { keepPreviousData, useQuery } from '@tanstack/react-query'
import type { ColumnDef } from '@tanstack/react-table'
import { type ReactNode, useMemo, useState } from 'react'
import { api, body, type Schema } from '../client'
import { type Kind, useKind, useTable } from '../facts'
import { addPattern, change, changePattern, deletePattern, give, nameOf, type Principal, take } from '../permissions'
import { Ask, Question, useChange } from './ask'
import { KindTitle } from './access'
import { Level } from './level'
import { PageLink } from './link'
import { EditPattern } from './pattern'
import { Beware, SeveralHeld, useReturnable } from './several'
import { doing, Listing, type Place, paging, useChoice } from './table'
import { When } from './when'

type Holding = Schema['Holding']
type Of = { user: string } | { group: string } | { kind: string; id: string }

const holderOf = (h: Holding): Principal => (h.group ? { group: h.group } : { user: h.user ?? '' })

/** What is given to a principal, or on a resource, with what changes it. */
export function HoldingsTable({ of, at, go, actions, empty }: { of: Of; at: Place; go: (to: Place) => void; actions?: ReactNode; empty: string }) {
  const query = useQuery({
    queryKey: ['holdings', of, at],
    queryFn: () => body(api.GET('/api/2.0/mlflow/permissions/holdings', { params: { query: { ...of, ...paging(at) } } })),
    placeholderData: keepPreviousData,
  })
  const onResource = 'id' in of
  const columns = useMemo<ColumnDef<Holding>[]>(() => [
    ...(onResource ? [{ header: 'Who', cell: ({ row: { original: h } }) => <Who of={h} /> } satisfies ColumnDef<Holding>] : [
      { header: 'Kind', cell: ({ row: { original: h } }) => <KindTitle kind={h.kind} /> } satisfies ColumnDef<Holding>,
      { header: 'On', cell: ({ row: { original: h } }) => <Where of={h} /> } satisfies ColumnDef<Holding>,
    ]),
    { header: 'Level', cell: ({ row: { original: h } }) => <Change of={h} /> },
    { header: 'Until', cell: ({ row: { original: h } }) => <When at={h.expires_at} none="no end" /> },
    { id: 'take', header: doing, cell: ({ row: { original: h } }) => <Group gap="xs"><Edit of={h} /><Take of={h} /></Group> },
  ], [onResource])
  const choice = useChoice<Holding>((h) => `${nameOf(holderOf(h))}: ${h.permission} on ${h.regex ?? h.name ?? h.resource}`, of, at.q)
  return (
    <Listing label="Permissions" identify={(h) => (h.regex === undefined ? 'grant ' : 'pattern ') + h.id} columns={columns} rows={query.data?.holdings ?? undefined} total={query.data?.total} error={query.error} fetching={query.isFetching}
      choice={choice} chosen={<SeveralHeld choice={choice} />} at={at} go={go} actions={actions} empty={at.q ? 'Nothing has this in its name.' : empty} />
  )
}

function Who({ of }: { of: Holding }) {
  return <Group gap={6}><span className="name">{nameOf(holderOf(of))}</span><span>{of.group ? '(group)' : of.is_service_account ? '(service account)' : ''}</span></Group>
}

function Where({ of }: { of: Holding }) {
  return (
    <>
      {of.regex !== undefined
        ? <>all that match <code className="name">{of.regex}</code> (priority {of.priority})</>
        : <PageLink to="/resources/$kind/$id" params={{ kind: of.kind, id: of.resource ?? '' }} search={{ workspace: of.workspace }}>{of.name || of.resource}</PageLink>}
      {of.workspace && of.workspace !== '*' && <> in <span className="name">{of.workspace}</span></>}
    </>
  )
}

/** What changes, takes and gives back one holding. */
function handles(h: Holding, kind: Kind) {
  const p = holderOf(h)
  const pattern = (permission: string) => ({ regex: h.regex!, priority: h.priority!, permission })
  if (h.regex !== undefined) {
    return {
      set: (level: string) => changePattern(p, kind, h.id, pattern(level)),
      take: () => deletePattern(p, kind, h.id),
      back: () => addPattern(p, kind, { ...pattern(h.permission), expires_at: h.expires_at ?? null }, h.workspace),
    }
  }
  return {
    set: (level: string) => change(p, kind, h.resource!, { permission: level }, h.workspace),
    take: () => take(p, kind, h.resource!, h.workspace),
    back: () => give(p, kind, h.resource!, { permission: h.permission, ...(h.expires_at ? { expires_at: h.expires_at } : {}) }, h.workspace),
  }
}

function Change({ of }: { of: Holding }) {
  const { levels } = useTable()
  const kind = useKind(of.kind)
  const returnable = useReturnable()([of])
  const [asked, setAsked] = useState<string>()
  const who = nameOf(holderOf(of))
  const set = useChange<string>({
    quiet: true,
    run: (level) => handles(of, kind!).set(level),
    said: (level) => `${who} has ${level}`,
    undo: () => handles(of, kind!).set(of.permission),
  })
  if (!kind) return <Level level={of.permission} />
  return (
    <>
      <Select aria-label={`Level of ${who}`} size="xs" w={160} data={levels} value={of.permission} allowDeselect={false} disabled={set.isPending}
        error={set.error ? set.error.message : undefined} onChange={(level) => level && level !== of.permission && (returnable ? set.mutate(level) : setAsked(level))} />
      {of.by_rule && <Badge variant="light" color="gray" mt={4}>by a rule</Badge>}
      <Question open={asked !== undefined} close={() => setAsked(undefined)} title={`Give ${who} ${asked} instead of ${of.permission}?`} confirm="Change it" said={`${who} has ${asked}`} run={() => handles(of, kind).set(asked!)}>
        <Beware rows={[of]} />
      </Question>
    </>
  )
}

function Edit({ of }: { of: Holding }) {
  const kind = useKind(of.kind)
  return kind && of.regex !== undefined ? <EditPattern to={holderOf(of)} kind={kind} of={of} /> : null
}

function Take({ of }: { of: Holding }) {
  const kind = useKind(of.kind)
  const returnable = useReturnable()([of])
  const who = nameOf(holderOf(of))
  const take = useChange({
    run: () => handles(of, kind!).take(),
    said: () => `Taken from ${who}`,
    undo: () => handles(of, kind!).back(),
  })
  if (!kind) return null
  if (!returnable) {
    return (
      <Ask label="Take away" title={`Take ${of.permission} from ${who}?`} confirm="Take away" said={`Taken from ${who}`} run={() => handles(of, kind).take()}>
        <Beware rows={[of]} />
      </Ask>
    )
  }
  return <Button size="compact-sm" variant="light" color="red" loading={take.isPending} onClick={() => take.mutate()}>Take away</Button>
}
