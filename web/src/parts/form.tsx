import { Button, Group, Stack } from '@mantine/core'
import type { ReactNode } from 'react'
import { Trouble } from './trouble'

/** What sends a form: a mutation, as useChange and useMutation give it. */
type Sending = { mutate: () => void; isPending: boolean; error: unknown }

/** The frame of a form in a dialog: what went wrong stands above its buttons. */
export function FormFrame({ by, label, close, leave = 'Cancel', disabled, plain, children }: {
  by: Sending
  label: ReactNode
  close?: () => void
  leave?: string
  disabled?: boolean
  /** The browser fills nothing in. */
  plain?: boolean
  children: ReactNode
}) {
  return (
    <form autoComplete={plain ? 'off' : undefined} onSubmit={(e) => { e.preventDefault(); by.mutate() }}>
      <Stack>
        {children}
        {by.error != null && <Trouble error={by.error} />}
        <Group justify="end">
          {close && <Button variant="default" onClick={close}>{leave}</Button>}
          <Button type="submit" loading={by.isPending} disabled={disabled}>{label}</Button>
        </Group>
      </Stack>
    </form>
  )
}
