import { diffLines, diffWordsWithSpace } from 'diff'

/** A field that is not the same in two values. */
export interface FieldDifference {
  /** Like `parameters.max_tokens` or `content.messages[1].content`. */
  readonly path: string
  /** As JSON; undefined: it is not there. */
  readonly before: string | undefined
  readonly after: string | undefined
}

/** Every field that differs, the deepest that names the difference, by path. */
export function fieldDifferences(before: unknown, after: unknown, path = ''): readonly FieldDifference[] {
  const names = namesOf(before, after)
  if (names === undefined) {
    const [one, other] = [JSON.stringify(before), JSON.stringify(after)]
    return one === other ? [] : [{ path, before: one, after: other }]
  }
  return names.flatMap((name) =>
    fieldDifferences(memberOf(before, name), memberOf(after, name), joined(path, name, before)),
  )
}

/** Of two objects, or of two lists, everything that is in one of them; undefined: they are not alike. */
function namesOf(before: unknown, after: unknown): readonly string[] | undefined {
  if (!isHolder(before) || !isHolder(after) || Array.isArray(before) !== Array.isArray(after))
    return undefined
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])]
  return Array.isArray(before) ? names : names.toSorted()
}

const isHolder = (value: unknown): value is object => typeof value === 'object' && value !== null

const memberOf = (holder: unknown, name: string): unknown =>
  isHolder(holder) && Object.hasOwn(holder, name) ? Reflect.get(holder, name) : undefined

function joined(path: string, name: string, holder: unknown): string {
  if (Array.isArray(holder)) return `${path}[${name}]`
  const shown = /^[\w-]+$/.test(name) ? name : JSON.stringify(name)
  return path === '' ? shown : `${path}.${shown}`
}

/**
 * What a replay has to be given, so that it runs `edited` instead of `event`: the fields that differ, and null for those
 * that were taken out. The id is left out, for the new event gets its own.
 */
export function changesOf(event: object, edited: object): Readonly<Record<string, unknown>> {
  const [before, after] = [new Map(Object.entries(event)), new Map(Object.entries(edited))]
  const names = [...new Set([...before.keys(), ...after.keys()])].filter((name) => name !== 'id')
  return Object.fromEntries(
    names
      .filter((name) => JSON.stringify(before.get(name)) !== JSON.stringify(after.get(name)))
      .map((name) => [name, after.get(name) ?? null]),
  )
}

/** A stretch of two texts. */
export interface Piece {
  readonly kind: 'same' | 'removed' | 'added'
  readonly text: string
}

/** Longer texts are compared line by line: to cut them into words takes too long by itself. */
const LONGEST_BY_WORDS = 200_000
const LONGEST_BY_LINES = 4_000_000
/** Nobody waits longer for a comparison, and a key that is pressed meanwhile waits, too. */
const BUDGET_MS = 40

/**
 * Two texts as one: `same` and `removed` together are the first, `same` and `added` the second. By words, else by lines; two
 * that have so little in common that it takes too long to find are one removed and one added piece.
 */
export function textDifference(before: string, after: string): readonly Piece[] {
  if (before === after) return before === '' ? [] : [{ kind: 'same', text: before }]
  const size = before.length + after.length
  const options = { timeout: BUDGET_MS }
  const changes =
    (size <= LONGEST_BY_WORDS ? diffWordsWithSpace(before, after, options) : undefined) ??
    (size <= LONGEST_BY_LINES ? diffLines(before, after, options) : undefined)
  if (changes === undefined)
    return [
      ...(before === '' ? [] : [{ kind: 'removed', text: before } as const]),
      ...(after === '' ? [] : [{ kind: 'added', text: after } as const]),
    ]
  return changes.map(({ added, removed, value }) => ({
    kind: removed ? 'removed' : added ? 'added' : 'same',
    text: value,
  }))
}
