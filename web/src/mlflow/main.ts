// What MLflow's own pages get of the gateway, see docs/decisions/0030-mlflows-own-pages.md. It is a file of its own, and small: it comes
// before all of MLflow's scripts.
import { pages, wanted } from './gateway'
import { showMenu } from './menu'
import { administered, onMove } from './place'
import { refused, watchPlace } from './refusal'
import { sessionRefused, watchSession } from './session'
import { onNo } from './watch'

const ready = (run: () => void) => (document.readyState === 'loading' ? addEventListener('DOMContentLoaded', run, { once: true }) : run())

function start() {
  if (window.top !== window) return // inside a frame nobody signs in
  if (wanted('administer')) {
    const lead = () => {
      const to = administered(location)
      if (to === undefined) return false
      location.replace(pages(to))
      return true
    }
    if (lead()) return
    onMove(lead)
  }
  const menu = wanted('menu')
  const again = wanted('again')
  onNo((no) => {
    if (no.status === 401) {
      if (again) void sessionRefused()
    } else if (menu) void refused(no)
  })
  if (again) watchSession()
  if (!menu) return
  watchPlace()
  ready(() => void showMenu())
}

start()
