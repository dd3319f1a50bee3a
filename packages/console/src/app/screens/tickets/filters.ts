/** Filters of the list, by the names of the query of `GET /tickets`. They are what the address holds. */
export type Filters = Readonly<Record<string, string>>

/** Names that the server knows; `metadata.<name>` beside them. */
export const FILTER_NAMES: readonly string[] = [
  ...[
    'status',
    'kind',
    'backend',
    'model',
    'error',
    'key',
    'door',
    'event_id',
    'idempotency_key',
    'replay_of',
  ],
  ...['callback', 'wasted'],
  ...['created_from', 'created_before'],
]

const isFilter = (name: string): boolean => FILTER_NAMES.includes(name) || /^metadata\..+$/s.test(name)

/** The filters in an address; what is none is left out. */
export function filtersOf(query: Readonly<Record<string, string>>): Filters {
  return Object.fromEntries(
    Object.entries(query).filter(([name, value]) => value !== '' && (isFilter(name) || name === 'text')),
  )
}

/** The query of an address, in one order, so that one view has one address. */
export function queryOf(filters: Filters): string {
  const names = Object.keys(filters)
    .filter((name) => filters[name] !== '')
    .sort()
  const query = new URLSearchParams(names.map((name) => [name, filters[name] ?? '']))
  return names.length === 0 ? '' : `?${query}`
}

/** What the search field shows: `status:failed metadata.order:4711 "two words"`. */
export function writeSearch({ text, ...named }: Filters): string {
  const parts = Object.keys(named)
    .sort()
    .map((name) => `${writeName(name)}:${writeValue(named[name] ?? '')}`)
  if (text !== undefined && text !== '') parts.push(writeFreeText(text))
  return parts.join(' ')
}

const writeValue = (value: string): string => (/^[^\s"\\]+$/.test(value) ? value : quoted(value))

/** The name of a caller's metadata may be anything. */
const writeName = (name: string): string =>
  /^[A-Za-z_][^\s":\\]*$/.test(name) ? name : `metadata.${quoted(name.slice('metadata.'.length))}`

/** A word that looks like a filter is quoted, so that it is read back as the word it is. */
const writeFreeText = (text: string): string =>
  /^[^\s":\\]+( [^\s":\\]+)*$/.test(text) ? text : quoted(text)

/** A field has one line: what would end it is written as in a program. */
const quoted = (value: string): string =>
  `"${value.replace(/["\\]/g, '\\$&').replaceAll('\n', '\\n').replaceAll('\r', '\\r')}"`

const unquoted = (inside: string): string =>
  inside.replace(/\\(.)/gs, (_, sign: string) => ({ n: '\n', r: '\r' })[sign] ?? sign)

export type Search =
  | { readonly ok: true; readonly filters: Filters }
  | { readonly ok: false; readonly problem: string }

const TOKEN = /\s*(?:([A-Za-z_][^\s:"]*(?:"(?:[^"\\]|\\.)*")?):)?(?:"((?:[^"\\]|\\.)*)"|([^\s"]+))/sy

/** Reads what somebody typed. Words that are no filter are one text to look for, in the order given. */
export function readSearch(typed: string): Search {
  const filters: Record<string, string> = {}
  const words: string[] = []
  const given = typed.trim()
  TOKEN.lastIndex = 0
  while (TOKEN.lastIndex < given.length) {
    const from = TOKEN.lastIndex
    const [, written, inQuotes, plain = ''] = TOKEN.exec(given) ?? []
    if (TOKEN.lastIndex === 0)
      return { ok: false, problem: `A quotation mark is missing: ${given.slice(from).trim()}` }
    const value = inQuotes === undefined ? plain : unquoted(inQuotes)
    const name = written?.replace(/"(.*)"$/s, (_, inside: string) => unquoted(inside))
    if (name === undefined) words.push(value)
    else if (!isFilter(name)) return { ok: false, problem: unknownFilter(name) }
    else if (Object.hasOwn(filters, name)) return { ok: false, problem: `${name} is given twice.` }
    else filters[name] = value
  }
  const text = words.join(' ')
  return { ok: true, filters: { ...filters, ...(text !== '' && { text }) } }
}

const unknownFilter = (name: string): string =>
  `There is no filter ${name}. Put it in quotation marks to search for it, or use one of ${FILTER_NAMES.join(', ')}, metadata.<name>.`

/** Values to offer, by the name of the filter: those that the server knows, and those that the page has seen. */
export type KnownValues = Readonly<Record<string, readonly string[]>>

export const VALUES: KnownValues = {
  status: ['queued', 'in_progress', 'completed', 'failed', 'cancelled'],
  kind: ['ticket', 'event'],
  callback: ['waiting', 'pending', 'delivered', 'dead'],
  wasted: ['true'],
}

export interface Completion {
  readonly words: string
  /** All that the field holds then. */
  readonly typed: string
}

/** What the word at the end could become: the name of a filter that is not there yet, or a value of the one named. */
export function completionsOf(typed: string, known: KnownValues): readonly Completion[] {
  const [, before = '', word = ''] = /^(.*?)([^\s"]*)$/s.exec(typed) ?? []
  if (before.endsWith('"')) return []
  const [, name, begun = ''] = /^([^:]+):(.*)$/.exec(word) ?? []
  const read = readSearch(before)
  const given = read.ok ? read.filters : {}
  if (name === undefined) {
    return [...FILTER_NAMES, 'metadata.']
      .filter((one) => one.startsWith(word) && one !== word && !Object.hasOwn(given, one))
      .map((one) => ({ words: one, typed: `${before}${one}${one.endsWith('.') ? '' : ':'}` }))
  }
  return (known[name] ?? [])
    .filter((value) => value.startsWith(begun) && value !== begun)
    .map((value) => ({ words: value, typed: `${before}${name}:${writeValue(value)} ` }))
}
