const SECRET_KEY = /authorization|api[-_]?key|cookie|password|secret|token$/i
const MAX_DEPTH = 6
const MAX_STRING_LENGTH = 2_048
const MAX_ITEMS = 100

/**
 * A copy of a value that may stand in a log: values under keys that name a secret are hidden, strings are cut at 2,048
 * characters, nesting ends at depth 6, lists and objects after 100 entries, and circles, buffers and getters that
 * throw do no harm. Keys that end in `tokens` are counts and stay.
 * It does not find a secret inside a text.
 */
export function redact(value: unknown): unknown {
  return copy(value, [])
}

/** `parents` are the objects on the way down: their number is the depth, and meeting one again is a circle. */
function copy(value: unknown, parents: readonly object[]): unknown {
  if (typeof value === 'string') return cut(value)
  if (typeof value === 'bigint') return value.toString()
  if (typeof value !== 'object' || value === null) return value
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? '[invalid date]' : value.toISOString()
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`
  if (parents.includes(value)) return '[circular]'
  if (parents.length >= MAX_DEPTH) return '[too deep]'
  const path = [...parents, value]
  if (Array.isArray(value)) return copyList(value, path)
  return value instanceof Error ? copyError(value, path) : copyObject(value, path)
}

function cut(text: string): string {
  if (text.length <= MAX_STRING_LENGTH) return text
  return `${text.slice(0, MAX_STRING_LENGTH)}… (${text.length - MAX_STRING_LENGTH} more)`
}

function copyList(list: readonly unknown[], path: readonly object[]): unknown[] {
  const items = list.slice(0, MAX_ITEMS).map((item) => copy(item, path))
  return list.length > MAX_ITEMS ? [...items, `… (${list.length - MAX_ITEMS} more)`] : items
}

function copyObject(value: object, path: readonly object[]): Record<string, unknown> {
  const record: Record<string, unknown> = {}
  const keys = Object.keys(value)
  for (const key of keys.slice(0, MAX_ITEMS)) record[key] = copyEntry(value, key, path)
  if (keys.length > MAX_ITEMS) record['…'] = `(${keys.length - MAX_ITEMS} more)`
  return record
}

function copyEntry(value: object, key: string, path: readonly object[]): unknown {
  if (SECRET_KEY.test(key)) return '[redacted]'
  try {
    return copy(Reflect.get(value, key), path)
  } catch {
    return '[unreadable]'
  }
}

/** The properties of an error that matter are not enumerable, so a plain copy would be `{}`. */
function copyError(error: Error, path: readonly object[]): Record<string, unknown> {
  const { name, message, stack, cause } = error
  const known = { name, message: cut(String(message)), ...(stack === undefined ? {} : { stack: cut(stack) }) }
  const rest = copyObject(error, path)
  return cause === undefined ? { ...known, ...rest } : { ...known, ...rest, cause: copy(cause, path) }
}
