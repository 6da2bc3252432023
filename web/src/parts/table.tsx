import { Alert, Button, Checkbox, Group, Loader, Pagination, Skeleton, Table, Text, TextInput, VisuallyHidden } from '@mantine/core'
import { useDebouncedCallback } from '@mantine/hooks'
import { type ColumnDef, flexRender, getCoreRowModel, useReactTable } from '@tanstack/react-table'
import { type ChangeEvent, type ReactNode, useEffect, useState } from 'react'
import { Trouble } from './trouble'

export const pageSize = 25

/** The header of a column of buttons, for those who hear it. */
export const doing = () => <VisuallyHidden>Actions</VisuallyHidden>

/** The part of an address that says which page of what search is open. */
export type Place = { q?: string; page?: number }

/** Reads it from an address. */
export function place(search: Record<string, unknown>): Place {
  const page = Number(search.page)
  return {
    q: typeof search.q === 'string' && search.q !== '' ? search.q : undefined,
    page: Number.isInteger(page) && page > 1 ? page : undefined,
  }
}

/** The query fields of the API for a place. */
export const paging = (at: Place) => ({ limit: pageSize, offset: ((at.page ?? 1) - 1) * pageSize, search: at.q ?? '' })

type Rows<T> = {
  label: string
  columns: ColumnDef<T, any>[]
  rows: T[] | undefined
  error?: unknown
  empty: ReactNode
  /** What tells one row from the others, so that what is open in it stays with it when the list changes. */
  identify: (row: T) => string
  choice?: Choice<T>
}

/** Rows that somebody has chosen, to do one thing with all of them. */
export type Choice<T> = {
  chosen: Map<string, T>
  choose: (chosen: Map<string, T>) => void
  name: (row: T) => string
}

/** What is chosen in a list. It is forgotten when another list, or another part of it, is looked at. */
export function useChoice<T>(name: (row: T) => string, ...list: unknown[]): Choice<T> {
  const of = JSON.stringify(list)
  const [kept, setKept] = useState({ of, chosen: new Map<string, T>() })
  return { chosen: kept.of === of ? kept.chosen : new Map(), choose: (chosen) => setKept({ of, chosen }), name }
}

/** Says how many rows are chosen, with what can be done with them. */
export function Chosen<T>({ choice, most, children }: { choice: Choice<T>; most: number; children: ReactNode }) {
  const count = choice.chosen.size
  return (
    <Group gap="xs" mb="xs" mih={36}>
      <Text size="sm" role="status">{count === 0 ? 'None chosen' : count > most ? `${count} chosen: at most ${most} are changed together` : `${count} chosen`}</Text>
      {count > 0 && count <= most && children}
      {count > 0 && <Button size="compact-sm" variant="subtle" onClick={() => choice.choose(new Map())}>Choose none</Button>}
    </Group>
  )
}

/** Chooses one row, or takes it back. */
function ChooseRow<T>({ choice, id, row }: { choice: Choice<T>; id: string; row: T }) {
  return (
    <Checkbox aria-label={`Choose ${choice.name(row)}`} checked={choice.chosen.has(id)}
      onChange={(e) => {
        const chosen = new Map(choice.chosen)
        if (e.currentTarget.checked) chosen.set(id, row)
        else chosen.delete(id)
        choice.choose(chosen)
      }} />
  )
}

/** Chooses all rows of the page, or none of them. */
function ChoosePage<T>({ choice, rows, identify }: { choice: Choice<T>; rows: T[]; identify: (row: T) => string }) {
  const here = rows.filter((row) => choice.chosen.has(identify(row))).length
  return (
    <Checkbox aria-label="Choose all on this page" disabled={rows.length === 0} checked={rows.length > 0 && here === rows.length} indeterminate={here > 0 && here < rows.length}
      onChange={() => {
        const chosen = new Map(choice.chosen)
        for (const row of rows) {
          if (here < rows.length) chosen.set(identify(row), row)
          else chosen.delete(identify(row))
        }
        choice.choose(chosen)
      }} />
  )
}

/** A table of rows that are there, on their way, or could not be had. Its height does not jump when they come. */
export function Rows<T>({ label, columns, rows, error, empty, identify, choice }: Rows<T>) {
  const table = useReactTable({ data: rows ?? [], columns, getRowId: identify, getCoreRowModel: getCoreRowModel() })
  if (error) return <Trouble error={error} />
  if (rows?.length === 0) return <Alert variant="light" color="gray">{empty}</Alert>
  return (
    <Table.ScrollContainer minWidth={480}>
      <Table aria-label={label} aria-busy={!rows} verticalSpacing="xs" highlightOnHover>
        <Table.Thead>
          {table.getHeaderGroups().map((group) => (
            <Table.Tr key={group.id}>
              {choice && <Table.Th scope="col" w={40}><ChoosePage choice={choice} rows={rows ?? []} identify={identify} /></Table.Th>}
              {group.headers.map((header) => (
                <Table.Th key={header.id} scope="col">{flexRender(header.column.columnDef.header, header.getContext())}</Table.Th>
              ))}
            </Table.Tr>
          ))}
        </Table.Thead>
        <Table.Tbody>
          {rows
            ? table.getRowModel().rows.map((row) => (
                <Table.Tr key={row.id}>
                  {choice && <Table.Td><ChooseRow choice={choice} id={row.id} row={row.original} /></Table.Td>}
                  {row.getVisibleCells().map((cell) => (
                    <Table.Td key={cell.id}>{flexRender(cell.column.columnDef.cell, cell.getContext())}</Table.Td>
                  ))}
                </Table.Tr>
              ))
            : Array.from({ length: 8 }, (_, i) => (
                <Table.Tr key={i}>{choice && <Table.Td />}{columns.map((_, j) => <Table.Td key={j}><Skeleton height={22} /></Table.Td>)}</Table.Tr>
              ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  )
}

type Listing<T> = Rows<T> & {
  at: Place
  go: (to: Place) => void
  total: number | undefined
  fetching?: boolean
  actions?: ReactNode
  /** What can be done with the rows that are chosen. */
  chosen?: ReactNode
}

/** A list that the server pages and searches: the address says where in it one is. */
export function Listing<T>({ at, go, total, fetching, actions, chosen, ...rows }: Listing<T>) {
  const pages = Math.max(1, Math.ceil((total ?? 0) / pageSize))
  useEffect(() => { // what was on the last page has gone
    if (total !== undefined && !fetching && (at.page ?? 1) > pages) go({ ...at, page: pages > 1 ? pages : undefined })
  })
  return (
    <>
      <Group mb="sm" justify="space-between" align="end">
        <SearchBox label={`Search ${rows.label.toLowerCase()}`} value={at.q ?? ''} busy={fetching} onSearch={(q) => go({ q: q || undefined })} />
        <Group gap="sm">{actions}</Group>
      </Group>
      {chosen}
      <Rows {...rows} />
      <Group justify="space-between" mt="sm" mih={36}>
        <Text size="sm" c="dimmed" role="status">{total === undefined ? ' ' : `${total.toLocaleString()} in all`}</Text>
        {pages > 1 && (
          <Pagination total={pages} value={at.page ?? 1} onChange={(page) => go({ ...at, page })} size="sm"
            getItemProps={(page) => ({ 'aria-label': `Page ${page}` })} getControlProps={(control) => ({ 'aria-label': `${control} page` })} />
        )}
      </Group>
    </>
  )
}

/** What is typed into a field, told when typing pauses, so that each key is not a request; and it follows the address. */
export function useTyped(value: string, tell: (text: string) => void) {
  const [text, setText] = useState(value)
  const [last, setLast] = useState(value)
  if (value !== last) { // the address has changed otherwise: by a link, or by going back
    setLast(value)
    setText(value)
  }
  const [here] = useState(location.pathname)
  const ask = useDebouncedCallback((wanted: string) => {
    if (location.pathname !== here) return // a link was clicked meanwhile, and its page is on the way
    setLast(wanted)
    tell(wanted)
  }, 250)
  return {
    value: text,
    onChange: (e: ChangeEvent<HTMLInputElement>) => {
      setText(e.currentTarget.value)
      ask(e.currentTarget.value)
    },
  }
}

/** A search field. */
export function SearchBox({ label, value, busy, onSearch }: { label: string; value: string; busy?: boolean; onSearch: (text: string) => void }) {
  return <TextInput type="search" label={label} maxLength={256} w={{ base: '100%', xs: 280 }} rightSection={busy ? <Loader size="xs" /> : null} {...useTyped(value, onSearch)} />
}

/** The button to the next page of a list that goes on where the page before ended. */
export function More({ query }: { query: { hasNextPage: boolean; isFetchingNextPage: boolean; fetchNextPage: () => unknown } }) {
  if (!query.hasNextPage) return null
  return <Button variant="default" loading={query.isFetchingNextPage} onClick={() => query.fetchNextPage()}>Show more</Button>
}
