import { Badge } from '@mantine/core'
import type { Schema } from '../client'

type Finding = Schema['Finding']

// a light yellow has too little contrast for WCAG 2.2 (1.4.3)
const states: Record<Finding['state'], { color: string; variant: string; says: string }> = {
  fail: { color: 'red', variant: 'light', says: 'does not work' },
  look: { color: 'yellow', variant: 'filled', says: 'look at it' },
  ok: { color: 'cyan', variant: 'light', says: 'well' },
}

/** How something is, in a word. */
export function State({ of }: { of: Finding }) {
  const { says, ...look } = states[of.state]
  return <Badge miw={110} {...look}>{says}</Badge>
}
