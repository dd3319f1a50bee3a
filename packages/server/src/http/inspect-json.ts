/** Deeper JSON is refused: `JSON.parse` takes 200,000 levels, and then every recursive reader overflows its stack. */
export const MAX_JSON_DEPTH = 64

export type JsonVerdict = 'fine' | 'too_deep' | 'poisoned'

/**
 * Looks once through a value of `JSON.parse`. `poisoned`: a key (`__proto__`, or `constructor` with `prototype`) that
 * would change the prototype of whatever it is merged into.
 */
export function inspectJson(value: unknown, depth = 0): JsonVerdict {
  if (typeof value !== 'object' || value === null) return 'fine'
  if (depth >= MAX_JSON_DEPTH) return 'too_deep'
  return Array.isArray(value) ? inspectList(value, depth) : inspectRecord(value, depth)
}

function inspectList(list: readonly unknown[], depth: number): JsonVerdict {
  for (const item of list) {
    const verdict = inspectJson(item, depth + 1)
    if (verdict !== 'fine') return verdict
  }
  return 'fine'
}

function inspectRecord(record: object, depth: number): JsonVerdict {
  for (const key in record) {
    const item: unknown = (record as Record<string, unknown>)[key]
    if (poisons(key, item)) return 'poisoned'
    const verdict = inspectJson(item, depth + 1)
    if (verdict !== 'fine') return verdict
  }
  return 'fine'
}

const poisons = (key: string, value: unknown): boolean =>
  key === '__proto__' ||
  (key === 'constructor' && typeof value === 'object' && value !== null && Object.hasOwn(value, 'prototype'))
