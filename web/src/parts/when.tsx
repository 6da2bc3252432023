import { Text, Tooltip } from '@mantine/core'

const units: [Intl.RelativeTimeFormatUnit, number][] = [['year', 31_536_000], ['month', 2_592_000], ['day', 86_400], ['hour', 3600], ['minute', 60], ['second', 1]]
const relative = new Intl.RelativeTimeFormat('en', { numeric: 'auto' })
const exact = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'long' })

function ago(at: Date) {
  const seconds = (at.getTime() - Date.now()) / 1000
  const [unit, size] = units.find(([, size]) => Math.abs(seconds) >= size) ?? ['second', 1]
  return relative.format(Math.round(seconds / size), unit)
}

/** A time in words, with the exact time in the viewer's zone on hover and focus. */
export function When({ at, none = '–' }: { at?: string | number | null; none?: string }) {
  if (!at) return <Text span size="sm" c="dimmed">{none}</Text>
  const time = new Date(at)
  if (Number.isNaN(time.getTime())) return <Text span size="sm">{String(at)}</Text>
  return (
    <Tooltip label={exact.format(time)} events={{ hover: true, focus: true, touch: true }}>
      <Text span size="sm" tabIndex={0} component="time" dateTime={time.toISOString()}>{ago(time)}</Text>
    </Tooltip>
  )
}
