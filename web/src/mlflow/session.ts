import { ended, signInAddress } from './gateway'
import { adopt, host, make } from './parts'
import { onMove } from './place'

// When this tab went to the sign-in page the last time. One that is back and signed out again is asked, and not sent once more.
const went = 'mlflow-oidc-auth.signed-in-again'
const again = 60_000

let asking = false // whether the session has ended
let asked = 0 // when it had not, the last time
let leaving = false
let declined = false
const typed = new Set<Element>()

/** Leads to the sign-in page when the session has ended, and asks before where something that somebody has written would be lost. */
export function watchSession() {
  addEventListener('input', (event) => event.isTrusted && typed.add(event.composedPath()[0] as Element), true)
  onMove(() => (declined = false))
  document.addEventListener('visibilitychange', () => {
    if (document.hidden) return
    if (document.querySelector(dialogName)) void ended().then((over) => over || document.querySelector(dialogName)?.remove()) // signed in in another tab
    else if (waiting) void sessionRefused()
  })
  addEventListener('pageshow', (event) => event.persisted && void sessionRefused()) // a page of before signing out
}

let waiting = false

/** MLflow's API has said that nobody is signed in: many requests say so at once. */
export async function sessionRefused() {
  if (asking || leaving || declined || document.querySelector(dialogName)) return
  if (document.hidden) {
    waiting = true // nobody looks: a page that goes away in the background may take something along
    return
  }
  if (Date.now() - asked < 5_000) return
  waiting = false
  asking = true
  const over = await ended()
  asking = false
  if (!over) {
    asked = Date.now()
    return // another credential was refused, such as a provider's key
  }
  if (unsaved() || recently()) ask()
  else go()
}

const written = (element: Element) =>
  element.isConnected && (element instanceof HTMLInputElement ? element.value !== '' : true)

const unsaved = () => [...typed].some(written)

function recently() {
  try {
    return Date.now() - Number(sessionStorage.getItem(went) ?? 0) < again
  } catch {
    return true // without memory nothing keeps it from going round and round
  }
}

function go() {
  leaving = true
  try {
    sessionStorage.setItem(went, String(Date.now()))
  } catch {
    // the next time it asks
  }
  location.assign(signInAddress(location))
}

const dialogName = 'mlflow-oidc-auth-ended'

function ask() {
  const { element, root } = host(dialogName)
  const dialog = make('dialog', { className: 'box' })
  const title = make('h2', { id: 'title', textContent: 'Your session has ended' })
  dialog.setAttribute('aria-labelledby', title.id)
  const now = make('button', { className: 'do', type: 'button', textContent: 'Sign in again' })
  const later = make('button', { className: 'do not', type: 'button', textContent: 'Not now' })
  now.addEventListener('click', go)
  later.addEventListener('click', () => dialog.close())
  dialog.addEventListener('close', () => {
    declined = !leaving
    element.remove()
  })
  dialog.append(title, make('p', { textContent: 'Nothing can be saved until you sign in again, which loads this page anew. What you have written here and not saved is lost then: copy it first.' }),
    make('div', { className: 'actions' }, now, later))
  const wrap = make('div', {}, dialog)
  root.append(wrap)
  document.body.append(element)
  adopt(document.querySelector<HTMLElement>('main,#root *') ?? document.body, wrap)
  dialog.showModal()
}
