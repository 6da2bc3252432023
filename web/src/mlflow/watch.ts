import { prefix } from './gateway'

/** An answer of MLflow's API that says no. */
export type No = {
  status: number
  /** Whether the request was about something that has this in its address or body. */
  about: (part: string) => boolean
  /** What the server says, in its own form. */
  said: () => Promise<{ code: string; message: string }>
}

// What MLflow serves behind the gateway, below the prefix. What is the gateway's own looks after itself.
const mlflows = /^\/(ajax-api|api|graphql|get-artifact|model-versions\/get-artifact|gateway)(\/|$)/

/** Tells whether an address is of MLflow's API on this origin. */
function ofMLflow(address: URL) {
  return address.origin === location.origin && address.pathname.startsWith(`${prefix}/`) && mlflows.test(address.pathname.slice(prefix.length))
}

function parse(body: string) {
  let said: unknown
  try {
    said = JSON.parse(body)
  } catch {
    said = undefined
  }
  const { error_code: code, message } = (said ?? {}) as Record<string, unknown>
  return { code: typeof code === 'string' ? code : '', message: typeof message === 'string' ? message : '' }
}

/** Calls back for every answer of 401, 403 and 404 that the page gets from MLflow's API. Nothing of requests and answers changes. */
export function onNo(heard: (no: No) => void) {
  const look = (status: number, url: string, sent: unknown, read: () => Promise<string>) => {
    if (status !== 401 && status !== 403 && status !== 404) return
    const address = new URL(url, document.baseURI)
    if (!ofMLflow(address)) return
    const body = typeof sent === 'string' ? sent : ''
    const named = [...address.pathname.split('/').map((part) => decodeURIComponent(part)), ...address.searchParams.values()]
    heard({ status, about: (part) => named.includes(part) || body.includes(JSON.stringify(part)), said: async () => parse(await read()) })
  }
  const quietly = (...what: Parameters<typeof look>) => {
    try {
      look(...what)
    } catch {
      // whatever is wrong here is no matter of the page's
    }
  }

  const inner = window.fetch
  window.fetch = function (this: unknown, ...how: Parameters<typeof fetch>) {
    const answer = inner.apply(window, how)
    answer.then(
      (a) => {
        const copy = a.status === 403 && !a.bodyUsed ? a.clone() : undefined // before the page reads it
        quietly(a.status, a.url, how[1]?.body, async () => (await copy?.text()) ?? '')
      },
      () => undefined,
    )
    return answer
  }

  const send = XMLHttpRequest.prototype.send
  XMLHttpRequest.prototype.send = function (this: XMLHttpRequest, body?: Document | XMLHttpRequestBodyInit | null) {
    this.addEventListener('load', () => quietly(this.status, this.responseURL, body, async () => (this.responseType === '' || this.responseType === 'text' ? this.responseText : '')))
    return send.call(this, body)
  }
}
