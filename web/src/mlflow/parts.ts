const style = `
:host{all:initial;font-family:inherit;font-size:13px;line-height:1.5;color:inherit;pointer-events:auto}
[hidden]{display:none!important}
*{box-sizing:border-box;font:inherit}
.name{unicode-bidi:isolate;overflow:hidden;text-overflow:ellipsis;white-space:nowrap;min-width:0}
.entry{display:flex;align-items:center;gap:8px;width:100%;min-height:34px;padding:4px 8px;border:0;border-radius:4px;background:none;color:inherit;text-align:start;cursor:pointer}
.entry:hover{background:color-mix(in srgb,currentColor 10%,transparent)}
.entry svg{flex:none}
.box{margin:0;padding:8px;border:1px solid #6f7a83;border-radius:8px;background:#fff;color:#11171c;box-shadow:0 2px 16px #0003;width:max-content;max-width:min(360px,calc(100vw - 16px))}
.dark .box{background:#1f272d;color:#e8ecf0}
.box p{margin:4px 8px 8px;overflow-wrap:anywhere}
.box .name{max-width:100%;display:block}
.small{font-size:12px}
ul{list-style:none;margin:4px 0 0;padding:0}
a.item,button.item{display:block;width:100%;padding:6px 8px;min-height:32px;border:0;border-radius:4px;background:none;color:inherit;text-align:start;text-decoration:none;cursor:pointer}
.item:hover{background:color-mix(in srgb,currentColor 10%,transparent)}
:focus-visible{outline:2px solid #0e538b;outline-offset:2px}
.dark :focus-visible{outline-color:#8acaff}
.entry:focus-visible,.item:focus-visible{outline-offset:-2px}
.actions{display:flex;flex-wrap:wrap;gap:8px;padding:0 8px 4px}
.do{display:inline-block;padding:6px 14px;border:1px solid #0e538b;border-radius:6px;background:#0e538b;color:#fff;text-decoration:none;cursor:pointer}
.do.not{background:none;color:inherit;border-color:currentColor}
.dark .do:not(.not){background:#8acaff;border-color:#8acaff;color:#11171c}
h2{font-size:16px;font-weight:600;margin:4px 8px}
dialog.box{margin:auto;padding:16px}
dialog::backdrop{background:#0008}
.corner{position:fixed;inset:auto 16px 16px auto}
.strip{position:fixed;inset:auto auto 8px 8px;z-index:2147483000;max-width:220px;border-radius:6px;background:#fff;color:#11171c;border:1px solid #6f7a83}
.dark .strip{background:#1f272d;color:#e8ecf0}
.narrow .entry{justify-content:center;padding:4px 0}
.narrow .entry .name{position:absolute;width:1px;height:1px;clip-path:inset(50%)}
`

// A sheet that a script makes is no inline style, and so needs nothing of the page's policy.
const sheet = new CSSStyleSheet()
sheet.replaceSync(style)

/** An element of our own in MLflow's page: neither's styles reach the other's. */
export function host(name: string) {
  const element = document.createElement(name)
  const root = element.attachShadow({ mode: 'open' })
  root.adoptedStyleSheets = [sheet]
  return { element, root }
}

/** Makes an element. Text is text, whatever is in it. */
export function make<N extends keyof HTMLElementTagNameMap>(tag: N, set: Partial<HTMLElementTagNameMap[N]> = {}, ...children: (Node | string)[]) {
  const element = Object.assign(document.createElement(tag), set)
  element.append(...children)
  return element
}

/** Takes the colours of what is around an element: light text is on a dark page. */
export function adopt(element: HTMLElement, wrap: HTMLElement) {
  const [r = 0, g = 0, b = 0] = getComputedStyle(element).color.match(/[\d.]+/g)?.map(Number) ?? []
  wrap.classList.toggle('dark', 0.299 * r + 0.587 * g + 0.114 * b > 140)
}

/** The picture of a person. */
export function person() {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg')
  for (const [name, value] of Object.entries({ viewBox: '0 0 16 16', width: '16', height: '16', fill: 'none', stroke: 'currentColor', 'stroke-width': '1.5', 'aria-hidden': 'true' })) svg.setAttribute(name, value)
  const path = document.createElementNS('http://www.w3.org/2000/svg', 'path')
  path.setAttribute('d', 'M8 7.5a2.75 2.75 0 1 0 0-5.5 2.75 2.75 0 0 0 0 5.5ZM2.5 14c.4-3 2.600-4.500 5.500-4.500s5.100 1.500 5.500 4.500Z')
  svg.append(path)
  return svg
}
