import { Badge, Modal, Stack, Table, Text, UnstyledButton, VisuallyHidden } from '@mantine/core'
import { queryOptions, useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { api, body, inWorkspace, type Schema } from '../client'
import { useKind } from '../facts'
import { Trouble } from './trouble'
import { When } from './when'

const colours: Record<string, string> = { MANAGE: 'violet', EDIT: 'blue', USE: 'cyan', READ: 'gray', NO_PERMISSIONS: 'red' }

/** A level. */
export function Level({ level }: { level: string }) {
  return <Badge variant="light" color={colours[level] ?? 'gray'}>{level}</Badge>
}

type Question = { user: string; kind: string; id: string; workspace?: string }

/** A level that says how it comes about when it is clicked. */
export function Explained({ level, ...question }: Question & { level: string }) {
  const [open, setOpen] = useState(false)
  return (
    <>
      <UnstyledButton onClick={() => setOpen(true)} aria-label={`${level}: why?`}><Level level={level} /></UnstyledButton>
      <Modal opened={open} onClose={() => setOpen(false)} size="xl" title="How this level comes about">
        {open && <Explanation {...question} />}
      </Modal>
    </>
  )
}

const reasons: Record<string, string> = {
  grant: 'The first of these that speaks of it decides.',
  admin: 'Administrators may do everything, whatever else is said.',
  default: 'Nothing speaks of it: the default of this server counts (DEFAULT_MLFLOW_PERMISSION).',
  workspace: 'It is in a workspace to which there is no access.',
  deactivated: 'The account is deactivated: it may do nothing.',
}

/** How somebody's level on a resource comes about. */
export const explanation = ({ user, kind, id, workspace }: Question) =>
  queryOptions({
    queryKey: ['explain', user, kind, id, workspace],
    queryFn: () => body(api.GET('/api/2.0/mlflow/permissions/explain', { params: { query: { user, kind, id } }, headers: inWorkspace(workspace) })),
  })

/** The effective level on a resource, and every grant that was considered, in order. */
export function Explanation(question: Question) {
  const title = useKind(question.kind)?.title ?? question.kind
  const query = useQuery(explanation(question))
  if (query.error) return <Trouble error={query.error} retry={() => query.refetch()} />
  if (!query.data) return <Text role="status">Asking …</Text>
  const found = query.data
  return (
    <Stack gap="sm">
      <Text><span className="name">{found.user}</span> has <Level level={found.permission} /> on the {title} <span className="name">{found.id}</span>.</Text>
      <Text size="sm" c="dimmed">{reasons[found.reason] ?? found.reason}</Text>
      {(found.considered ?? []).length > 0 && (
        <Table.ScrollContainer minWidth={520}>
          <Table aria-label="Permissions considered, in order">
            <Table.Thead><Table.Tr><Table.Th scope="col">Source</Table.Th><Table.Th scope="col">On</Table.Th><Table.Th scope="col">Level</Table.Th><Table.Th scope="col">Until</Table.Th><Table.Th scope="col"><VisuallyHidden>Decides</VisuallyHidden></Table.Th></Table.Tr></Table.Thead>
            <Table.Tbody>
              {(found.considered ?? []).map((one, i) => (
                <Table.Tr key={i}>
                  <Table.Td><Source of={one} /></Table.Td>
                  <Table.Td><On of={one} /></Table.Td>
                  <Table.Td><Level level={one.permission} /></Table.Td>
                  <Table.Td><When at={one.expires_at} none="no end" /></Table.Td>
                  <Table.Td>{one.decides && <Badge variant="filled">decides</Badge>}</Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Table.ScrollContainer>
      )}
    </Stack>
  )
}

type Considered = Schema['Considered']

/** Where a grant comes from, in words. */
export function Source({ of }: { of: Considered }) {
  switch (of.source) {
    case 'user':
      return <>given directly</>
    case 'group':
      return <>the group <span className="name">{of.group}</span></>
    case 'regex':
      return <>a pattern of the user's</>
    case 'group-regex':
      return <>a pattern of the group <span className="name">{of.group}</span></>
    case 'role':
      return <>the role <span className="name">{of.role}</span></>
    default:
      return <>{of.source}</>
  }
}

/** What a grant is on. */
export function On({ of }: { of: Considered }) {
  const title = useKind(of.kind)?.title ?? of.kind
  if (of.regex) return <>{title}s that match <code className="name">{of.regex}</code>{of.priority !== undefined && <Text span size="sm" c="dimmed"> (priority {of.priority})</Text>}</>
  if (of.source.endsWith('regex')) return <>{title}s that match a pattern, which administrators see</>
  return <>{title} <span className="name">{of.resource || 'of any name'}</span></>
}
