import { endpointName, me, pages, prefix } from './gateway'
import { adopt, host, make, person } from './parts'
import { onMove, placeOf, workspaceOf } from './place'

/** Shows who is signed in among MLflow's own entries, with what belongs to the person and to what is open. */
export async function showMenu() {
  const who = await me()
  if (!who) return
  const { element, root } = host('mlflow-oidc-auth-menu')
  const entry = make('button', { className: 'entry', type: 'button', title: who.name }, person(), make('span', { className: 'name', textContent: who.name }))
  entry.setAttribute('aria-label', `Access: ${who.name}`)
  const links = make('ul')
  const box = make('nav', { className: 'box', popover: 'auto' })
  box.setAttribute('aria-label', 'Access')
  box.append(make('p', { className: 'name', textContent: who.name }))
  if (who.name !== who.username) box.append(make('p', { className: 'name small', textContent: who.username }))
  box.append(links)
  const wrap = make('div', {}, entry, box)
  root.append(wrap)
  entry.popoverTargetElement = box
  entry.setAttribute('aria-expanded', 'false')
  let shown = ''
  box.addEventListener('beforetoggle', (event) => {
    const opens = (event as ToggleEvent).newState === 'open'
    entry.setAttribute('aria-expanded', String(opens))
    if (opens) fill(links)
    shown = open()
  })
  box.addEventListener('toggle', (event) => {
    if ((event as ToggleEvent).newState !== 'open') return
    adopt(element, wrap)
    beside(entry, box)
  })
  // Before all of MLflow's: what of it is open listens for the same key, and keeps the browser from closing anything else.
  addEventListener(
    'keydown',
    (event) => {
      if (event.key !== 'Escape' || !box.matches(':popover-open')) return
      event.preventDefault()
      event.stopImmediatePropagation()
      box.hidePopover()
      entry.focus() // where MLflow has moved the focus meanwhile, the browser does not lead back
    },
    { capture: true },
  )
  onMove(() => {
    if (!box.matches(':popover-open') || shown === open()) return // MLflow changes its filters in the address too
    shown = open()
    fill(links)
  })
  keep(element, wrap, entry, box)
}

/** What the menu is about. */
function open() {
  const place = placeOf(location)
  return JSON.stringify([place?.kind, place?.id, workspaceOf(location)])
}

const link = (text: string, href: string) => make('li', {}, make('a', { className: 'item', href, textContent: text }))

function fill(links: HTMLElement) {
  const place = placeOf(location)
  const workspace = workspaceOf(location)
  const query = workspace ? `?${new URLSearchParams({ workspace })}` : ''
  const resource = (kind: string, id: string) => pages(`resources/${kind}/${encodeURIComponent(id)}`) + query
  const all: Node[] = []
  if (place) {
    const open = link(`Permissions of ${place.title}`, resource(place.kind, place.id))
    if (place.kind === 'gateway_endpoint') {
      open.hidden = true // until its name is known, by which permissions know it
      void endpointName(place.id, workspace).then((name) => {
        if (!name) return
        open.querySelector('a')!.href = resource(place.kind, name)
        open.hidden = false
      })
    }
    all.push(open)
  }
  if (workspace) all.push(link('Permissions of this workspace', resource('workspace', workspace)))
  const out = make('button', { className: 'item', type: 'button', textContent: 'Sign out' })
  out.addEventListener('click', () => location.assign(`${prefix}/logout`))
  links.replaceChildren(...all, link('My access and tokens', pages('') + query), make('li', {}, out))
}

/** Puts the box above or below its button, inside the window. */
function beside(entry: HTMLElement, box: HTMLElement) {
  const at = entry.getBoundingClientRect()
  const { width, height } = box.getBoundingClientRect()
  const below = at.bottom + height + 8 < innerHeight
  Object.assign(box.style, {
    position: 'fixed',
    inset: 'auto',
    left: `${Math.max(8, Math.min(at.left, innerWidth - width - 8))}px`,
    top: `${below ? at.bottom + 4 : Math.max(8, at.top - height - 4)}px`,
  })
}

// Where MLflow has its own links of the kind, of which it has one on every page: the addresses say it, in all versions. The second are
// those of 2.x and early 3.x, in the header.
const anchors = ['aside a[href^="#/settings"]', 'nav a[href^="#/settings"]', 'aside a[href*="mlflow.org/docs"]', 'header a[href*="mlflow.org/docs"]', 'header a[href*="github.com/mlflow"]']

/** Finds the link of MLflow's beside which the menu belongs. */
function anchor() {
  for (const selector of anchors) {
    const found = document.querySelector<HTMLElement>(selector)
    if (found && found.getClientRects().length) return found
  }
  return undefined
}

/** Keeps the menu where it belongs, whatever MLflow draws anew. Where there is no such place it is in the corner. */
function keep(element: HTMLElement, wrap: HTMLElement, entry: HTMLElement, box: HTMLElement) {
  const put = () => {
    const wasOpen = entry.ariaExpanded === 'true' // the browser closes, and tells nobody, what is taken out of the page
    const by = anchor()
    const line = by?.closest('li') ?? by
    const inHeader = !!by?.closest('header')
    const parent = line?.parentElement ?? document.body
    wrap.firstElementChild!.classList.toggle('strip', !line)
    Object.assign(element.style, { display: inHeader ? 'inline-block' : 'block', maxWidth: inHeader ? '200px' : '' })
    if (element.parentElement !== parent || (line && line.nextElementSibling !== element)) {
      const focused = element.shadowRoot?.activeElement // moving takes it away from whoever is there by keyboard
      if (line) line.after(element)
      else document.body.append(element)
      if (focused instanceof HTMLElement) focused.focus()
      if (wasOpen && !box.matches(':popover-open')) box.showPopover()
    }
    wrap.classList.toggle('narrow', !!line && !inHeader && element.clientWidth > 0 && element.clientWidth < 90)
    adopt(element, wrap)
    if (box.matches(':popover-open')) beside(entry, box)
  }
  let due = false
  const soon = () => {
    if (due) return
    due = true
    requestAnimationFrame(() => {
      due = false
      put()
    })
  }
  put()
  new MutationObserver(soon).observe(document.body, { childList: true, subtree: true })
  new ResizeObserver(soon).observe(element)
}
