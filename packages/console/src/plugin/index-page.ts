import { createHash } from 'node:crypto'

/** The page for one depth below the console's address, with the ETag of its content. */
export interface IndexPage {
  readonly html: string
  readonly etag: string
}

/** What the build writes in front of every address of its own, and what the page here says instead. */
const BUILT_BASE = /(\s(?:src|href)=")\.\//g

/**
 * One page serves every address below `/console/`. A proxy may put any path in front, and the policy forbids `<base>`:
 * so the page names its files relative to its own address, one `../` for each level, and the app learns the rest from
 * the address of its script.
 */
export function createIndexPages(built: string, operator: Operator): (depth: number) => IndexPage {
  const pages = new Map<number, IndexPage>()
  const whole = built.replace('</head>', () => `${headOf(operator)}</head>`)
  return (depth) => {
    const known = pages.get(depth)
    if (known !== undefined) return known
    const html = whole.replace(BUILT_BASE, `$1${'../'.repeat(depth) || './'}`)
    // Of the content: npm gives all files one date, and a page that names removed files must not stay.
    const etag = `"${createHash('sha256').update(html).digest('base64url').slice(0, 27)}"`
    const page = { html, etag }
    pages.set(depth, page)
    return page
  }
}

/** What the operator says of this console, for the app and before it. */
export interface Operator {
  readonly name: string | undefined
  readonly label: string
  readonly hasLogo: boolean
  readonly hasTheme: boolean
}

function headOf({ name, label, hasLogo, hasTheme }: Operator): string {
  const said = { name: name ?? '', label, logo: hasLogo ? 'yes' : '' }
  const metas = Object.entries(said)
    .filter(([, content]) => content !== '')
    .map(([key, content]) => `  <meta name="ai-ticket-${key}" content="${escapeHtml(content)}" />\n  `)
  return `${metas.join('')}${hasTheme ? '  <link rel="stylesheet" href="./theme.css" />\n  ' : ''}`
}

const escapeHtml = (text: string): string =>
  text.replace(/[&<>"']/g, (character) => `&#${character.codePointAt(0)};`)

/** No address of the app is deeper; anything beyond is somebody trying things, and would fill the memory with pages. */
export const DEEPEST = 8

/** How many levels an address as it was sent (`//` and a final `/` included) lies below the console's. */
export function depthOf(url: string, base: string): number {
  const [path = ''] = url.split('?')
  const below = path.slice(path.indexOf(base) + base.length)
  return below.split('/').length - 1
}

/** Whether `If-None-Match` names this ETag; a proxy that compressed the page made it a weak one. */
export const isKnown = (ifNoneMatch: string | undefined, etag: string): boolean =>
  (ifNoneMatch ?? '').split(',').some((one) => one.trim().replace(/^W\//, '') === etag || one.trim() === '*')
