import { Button, Group, Modal, Stack, Text } from '@mantine/core'
import { randomId } from '@mantine/hooks'
import { notifications } from '@mantine/notifications'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { type ReactNode, useEffect, useRef, useState } from 'react'
import { Trouble } from './trouble'

/** Says what was done, with a way back where there is one. */
export function done(message: string, undo?: () => void) {
  if (!undo) {
    notifications.show({ message: <Text size="sm" className="name">{message}</Text>, autoClose: 5_000, closeButtonProps: { 'aria-label': 'Close' } })
    return
  }
  const id = randomId()
  notifications.show({
    id,
    message: (
      <Fading after={12_000} close={() => notifications.hide(id)}>
        <Text size="sm" className="name">{message}</Text>
        <Button size="compact-sm" variant="light" onClick={() => { notifications.hide(id); undo() }}>Undo</Button>
      </Fading>
    ),
    autoClose: false,
    closeButtonProps: { 'aria-label': 'Close' },
  })
}

/** What closes after a while, but not while somebody is at it by pointer or keyboard. */
function Fading({ after, close, children }: { after: number; close: () => void; children: ReactNode }) {
  const here = useRef<HTMLDivElement>(null)
  useEffect(() => {
    const whole = here.current?.closest('.mantine-Notification-root') ?? here.current
    const step = 250
    let left = after
    const clock = setInterval(() => {
      left = whole?.matches(':hover, :focus-within') ? after : left - step
      if (left <= 0) close()
    }, step)
    return () => clearInterval(clock)
  }, [])
  return <Group ref={here} justify="space-between" wrap="nowrap">{children}</Group>
}

type Change<A, R> = {
  run: (arg: A) => Promise<R>
  said: (arg: A) => string
  undo?: (arg: A, result: R) => Promise<unknown>
  /** What is done can not always be undone. */
  undoable?: (result: R) => boolean
  after?: () => void
  /** Whoever asks shows what fails in its own place. */
  quiet?: boolean
}

/** A change of something: what is shown afterwards comes from the server, and what can be undone offers it. */
export function useChange<A = void, R = unknown>({ run, said, undo, undoable = () => true, after, quiet }: Change<A, R>) {
  const queries = useQueryClient()
  const again = () => queries.invalidateQueries()
  return useMutation({
    mutationFn: run,
    onError: (error) => { if (!quiet) failed(error) },
    onSuccess: async (result, arg) => {
      done(said(arg), undo && undoable(result) ? () => undo(arg, result).then(() => { done('It is as it was before'); return again() }, failed) : undefined)
      await again()
      after?.()
    },
  })
}

function failed(error: unknown) {
  notifications.show({ color: 'red', message: error instanceof Error ? error.message : String(error), closeButtonProps: { 'aria-label': 'Close' } })
}

/** A button that opens a dialog. What is in it is made anew each time. */
export function Opens({ label, name, children, ...dialog }: { label: string; name?: string; title: string; size?: string; closeOnClickOutside?: boolean; children: (close: () => void) => ReactNode }) {
  const [open, setOpen] = useState(false)
  const close = () => setOpen(false)
  return (
    <>
      <Button size="compact-sm" variant="light" aria-label={name} onClick={() => setOpen(true)}>{label}</Button>
      <Modal opened={open} onClose={close} {...dialog}>{open && children(close)}</Modal>
    </>
  )
}

type Asked<R> = {
  title: string
  children: ReactNode
  confirm: string
  run: () => Promise<R>
  said: string
  color?: string
  after?: () => void
  undo?: (result: R) => Promise<unknown>
}

/** A button that asks before it does what cannot be undone, or much at once. */
export function Ask<R = unknown>({ label, disabled, ...asked }: Asked<R> & { label: string; disabled?: boolean }) {
  const [open, setOpen] = useState(false)
  return (
    <>
      <Button size="compact-sm" variant="light" color={asked.color ?? 'red'} disabled={disabled} onClick={() => setOpen(true)}>{label}</Button>
      <Question {...asked} open={open} close={() => setOpen(false)} />
    </>
  )
}

/** The question before something is done. */
export function Question<R = unknown>({ open, close, title, children, confirm, run, said, color = 'red', after, undo }: Asked<R> & { open: boolean; close: () => void }) {
  return (
    <Modal opened={open} onClose={close} title={title}>
      {open && <Answer confirm={confirm} run={run} said={said} color={color} undo={undo} close={close} after={after}>{children}</Answer>}
    </Modal>
  )
}

function Answer<R>({ children, confirm, run, said, color, undo, close, after }: Omit<Asked<R>, 'title'> & { close: () => void }) {
  const change = useChange<void, R>({ quiet: true, run, said: () => said, undo: undo && ((_, result) => undo(result)), after: () => { close(); after?.() } })
  return (
    <Stack>
      <div className="name">{children}</div>
      {change.error && <Trouble error={change.error} />}
      <Group justify="end">
        <Button variant="default" onClick={close}>Leave it</Button>
        <Button color={color} loading={change.isPending} onClick={() => change.mutate()}>{confirm}</Button>
      </Group>
    </Stack>
  )
}
