import { ActionIcon, Anchor, AppShell, Badge, Box, Burger, Button, Group, NavLink, ScrollArea, Text, Title, useComputedColorScheme, useMantineColorScheme, VisuallyHidden } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { useQuery } from '@tanstack/react-query'
import { Link, Outlet, useRouterState } from '@tanstack/react-router'
import { useEffect } from 'react'
import { prefix } from './client'
import { plural, useMe, useServer, useTable } from './facts'
import { Chooser } from './parts/workspace'
import { waiting } from './requests'

/** What all pages have around them. */
export function Shell() {
  const [open, { toggle, close }] = useDisclosure()
  const path = useRouterState({ select: (s) => s.location.pathname })
  useEffect(close, [path, close])
  const me = useMe()
  return (
    <AppShell header={{ height: 56 }} navbar={{ width: 240, breakpoint: 'sm', collapsed: { mobile: !open } }} padding="md">
      <AppShell.Header>
        <Group h="100%" px="md" justify="space-between" wrap="nowrap">
          <Group wrap="nowrap" gap="sm">
            <Skip />
            <Burger opened={open} onClick={toggle} hiddenFrom="sm" size="sm" aria-label="Menu" aria-expanded={open} />
            <Title order={1} size="h4">MLflow permissions</Title>
            <Box visibleFrom="sm"><Chooser /></Box>
          </Group>
          <Group wrap="nowrap" gap="xs">
            <Text size="sm" className="name" visibleFrom="sm" lineClamp={1} title={me.username}>{me.display_name || me.username}</Text>
            <Anchor href={`${prefix}/`} size="sm">MLflow</Anchor>
            <Scheme />
            <Button size="compact-sm" variant="default" onClick={() => location.assign(`${prefix}/logout`)}>Sign out</Button>
          </Group>
        </Group>
      </AppShell.Header>
      <AppShell.Navbar p="xs"><Menu /></AppShell.Navbar>
      <AppShell.Main id="main" tabIndex={-1}><Outlet /></AppShell.Main>
    </AppShell>
  )
}

/** Leads past the menu. It is no link within the page: those start from the base of all pages. */
function Skip() {
  return <Button className="skip" variant="default" onClick={() => document.getElementById('main')?.focus()}>Skip to the content</Button>
}

function Scheme() {
  const { setColorScheme } = useMantineColorScheme()
  const now = useComputedColorScheme('light')
  const other = now === 'dark' ? 'light' : 'dark'
  return (
    <ActionIcon variant="default" aria-label={`Use ${other} colours`} onClick={() => setColorScheme(other)}>
      <span aria-hidden>{other === 'dark' ? '☾' : '☀'}</span>
    </ActionIcon>
  )
}

function Menu() {
  const me = useMe()
  const { kinds } = useTable()
  const { workspaces_enabled } = useServer()
  return (
    <ScrollArea component="nav" aria-label="Pages">
      <Box hiddenFrom="sm" px="sm"><Chooser /></Box>
      <Part title="Mine" />
      <Entry to="/" label="My access" exact />
      <Entry to="/tokens" label="My tokens" />
      <Entry to="/sessions" label="My sessions" />
      <Entry to="/setup" label="Set up a client" />
      <RequestsEntry />
      <Part title="Resources" />
      {kinds.map((k) => (
        <NavLink key={k.name} renderRoot={(props) => <Link to="/resources/$kind" params={{ kind: k.name }} activeProps={{ 'data-active': true, 'aria-current': 'page' }} {...props} />} label={plural(k.title)} />
      ))}
      {me.is_admin && (
        <>
          <Part title="Administration" />
          <Entry to="/users" label="Users" />
          <Entry to="/services" label="Service accounts" />
          <Entry to="/groups" label="Groups" />
          <Entry to="/roles" label="Roles" />
          {workspaces_enabled && <Entry to="/rules" label="Workspace rules" />}
          <Entry to="/trash" label="Trash" />
          <Entry to="/webhooks" label="Webhooks" />
          <Entry to="/audit" label="Audit" />
          <Entry to="/all-sessions" label="All sessions" />
          <Entry to="/providers" label="Providers" />
          <Entry to="/doctor" label="Doctor" />
        </>
      )}
    </ScrollArea>
  )
}

/** Where requests for access are, with the number of those that wait for oneself. */
function RequestsEntry() {
  const { data } = useQuery(waiting)
  return (
    <NavLink label="Requests" rightSection={data?.total ? <Badge size="sm" variant="filled">{data.total}{data.more && '+'}<VisuallyHidden> to decide</VisuallyHidden></Badge> : null}
      renderRoot={(props) => <Link to="/requests" activeOptions={{ includeSearch: false }} activeProps={{ 'data-active': true, 'aria-current': 'page' }} {...props} />} />
  )
}

const Part = ({ title }: { title: string }) => <Text size="xs" fw={600} c="dimmed" px="sm" pt="md" pb={4}>{title}</Text>

type Simple = '/' | '/tokens' | '/sessions' | '/setup' | '/users' | '/services' | '/groups' | '/audit' | '/roles' | '/rules' | '/trash' | '/webhooks' | '/doctor' | '/all-sessions' | '/providers'

function Entry({ to, label, exact }: { to: Simple; label: string; exact?: boolean }) {
  return (
    <NavLink label={label}
      renderRoot={(props) => <Link to={to} activeOptions={{ exact: exact ?? false, includeSearch: false }} activeProps={{ 'data-active': true, 'aria-current': 'page' }} {...props} />} />
  )
}
