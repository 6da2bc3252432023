import { Button, Group, Modal, Stack, Text } from '@mantine/core'
import { notifications } from '@mantine/notifications'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { type ReactNode, useState } from 'react'
import { Trouble } from './trouble'

/** Says what was done, with a way back where there is one. */
export function done(message: string, undo?: () => void) {
  const id = notifications.show({
    message: undo ? (
      <Group justify="space-between" wrap="nowrap">
        <Text size="sm" className="name">{message}</Text>
        <Button size="compact-sm" variant="light" onClick={() => { notifications.hide(id); undo() }}>Undo</Button>
      </Group>
    ) : <Text size="sm" className="name">{message}</Text>,
    autoClose: undo ? 12_000 : 5_000,
    closeButtonProps: { 'aria-label': 'Close' },
  })
}

type Change<A> = {
  run: (arg: A) => Promise<unknown>
  said: (arg: A) => string
  undo?: (arg: A) => Promise<unknown>
  after?: () => void
  /** Whoever asks shows what fails in its own place. */
  quiet?: boolean
}

/** A change of something: what is shown afterwards comes from the server, and what can be undone offers it. */
export function useChange<A = void>({ run, said, undo, after, quiet }: Change<A>) {
  const queries = useQueryClient()
  const again = () => queries.invalidateQueries()
  return useMutation({
    mutationFn: run,
    onError: (error) => { if (!quiet) failed(error) },
    onSuccess: async (_, arg) => {
      done(said(arg), undo && (() => undo(arg).then(() => { done('It is as it was before'); return again() }, failed)))
      await again()
      after?.()
    },
  })
}

function failed(error: unknown) {
  notifications.show({ color: 'red', message: error instanceof Error ? error.message : String(error), closeButtonProps: { 'aria-label': 'Close' } })
}

/** A button that asks before it does what cannot be undone. */
export function Ask({ label, title, children, confirm, run, said, color = 'red', after }: {
  label: string
  title: string
  children: ReactNode
  confirm: string
  run: () => Promise<unknown>
  said: string
  color?: string
  after?: () => void
}) {
  const [open, setOpen] = useState(false)
  const change = useChange({ quiet: true, run, said: () => said, after: () => { setOpen(false); after?.() } })
  return (
    <>
      <Button size="compact-sm" variant="light" color={color} onClick={() => { change.reset(); setOpen(true) }}>{label}</Button>
      <Modal opened={open} onClose={() => setOpen(false)} title={title}>
        <Stack>
          <div className="name">{children}</div>
          {change.error && <Trouble error={change.error} />}
          <Group justify="end">
            <Button variant="default" onClick={() => setOpen(false)}>Leave it</Button>
            <Button color={color} loading={change.isPending} onClick={() => change.mutate()}>{confirm}</Button>
          </Group>
        </Stack>
      </Modal>
    </>
  )
}
