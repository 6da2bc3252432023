import { endpointName, pages, readable } from './gateway'
import { adopt, host, make } from './parts'
import { onMove, type Place, placeOf } from './place'
import type { No } from './watch'

const noticeName = 'mlflow-oidc-auth-refused'
let known = '' // the place of which it was found out already
let levels = ''

const key = (place: Place | undefined) => JSON.stringify([place?.kind, place?.id, place?.workspace])

/** Takes the offer away when something else is opened. */
export function watchPlace() {
  onMove(() => {
    if (key(placeOf(location)) !== known) {
      known = levels = ''
      document.querySelector(noticeName)?.remove()
    }
  })
}

/** MLflow's API has refused something: where that is what is open, one can ask for access to it. */
export async function refused(no: No) {
  const place = placeOf(location)
  if (!place || !place.parts.some(no.about)) return
  const { code, message } = no.status === 403 ? await no.said() : { code: '', message: '' }
  if (code === 'PERMISSION_DENIED' && message.startsWith('this needs ')) {
    // more was tried than one may: the server says what is missing
    if (levels === message) return
    known = key(place)
    levels = message
    return offer(place, `You may not do this: ${message}.`)
  }
  if (known === key(place)) return
  known = key(place)
  const name = place.kind === 'gateway_endpoint' ? await endpointName(place.id, place.workspace) : place.id
  if (!name || (await readable(place.kind, name, place.workspace)) || known !== key(placeOf(location))) return
  offer({ ...place, id: name }, `You may not see ${place.title}, or it does not exist.`)
}

function offer(place: Place, why: string) {
  document.querySelector(noticeName)?.remove()
  const { element, root } = host(noticeName)
  const query = new URLSearchParams({ kind: place.kind, id: place.id })
  if (place.workspace) query.set('workspace', place.workspace)
  const close = make('button', { className: 'do not', type: 'button', textContent: 'Close' })
  close.addEventListener('click', () => element.remove())
  const box = make('section', { className: 'box corner', popover: 'manual' }, make('p', { textContent: why }),
    make('div', { className: 'actions' }, make('a', { className: 'do', href: pages(`ask?${query}`), textContent: 'Ask for access' }), close))
  box.setAttribute('aria-label', 'Access')
  const status = make('div', {}, box)
  status.setAttribute('role', 'status')
  root.append(status)
  document.body.append(element)
  adopt(document.querySelector<HTMLElement>('main,#root *') ?? document.body, status)
  box.showPopover()
}
