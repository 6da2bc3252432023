import { Title } from '@mantine/core'
import { useParams } from '@tanstack/react-router'
import { type ReactNode, useEffect, useRef } from 'react'

let first = true // nobody came from another page

/**
 * The heading of a page. The browser's tab has it too, and whoever comes to the page from another is led to it: the keyboard and those who
 * hear the page would stay at the link that is gone else (WCAG 2.4.2, 2.4.3).
 */
export function PageTitle({ children }: { children: ReactNode }) {
  const heading = useRef<HTMLHeadingElement>(null)
  const about = Object.values(useParams({ strict: false })).join('/')
  useEffect(() => {
    document.title = `${heading.current?.textContent} – MLflow permissions`
  })
  useEffect(() => {
    if (!first) heading.current?.focus({ preventScroll: true })
    first = false
  }, [about])
  return <Title order={2} className="name heading" tabIndex={-1} ref={heading}>{children}</Title>
}
