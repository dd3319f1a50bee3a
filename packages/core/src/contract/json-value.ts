import * as v from 'valibot'

/** Deeper values overflow the stack of JSON.stringify in callers and stores. */
export const MAX_DEPTH = 64

/** `parameters.stop[2]`: the path of the first issue, as a person would write it. */
function issuePath(issue: v.BaseIssue<unknown>, root = ''): string {
  let path = root
  for (const { key } of issue.path ?? []) {
    if (typeof key === 'number') path += `[${key}]`
    else path += path === '' ? String(key) : `.${String(key)}`
  }
  return path
}

/** What the value is, without showing it: values may hold prompts and keys. */
export function kindOf(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'a list'
  if (value === undefined) return 'nothing'
  if (typeof value === 'object') return 'an object'
  if (typeof value === 'number') return Number.isInteger(value) ? 'a whole number' : 'a number'
  return `a ${typeof value}`
}

/** One sentence that names the path, what is expected and what kind of value came. Never the value. */
export function describeIssue(issue: v.BaseIssue<unknown>, root = ''): string {
  const path = issuePath(issue, root)
  if (issue.kind === 'validation') return `\`${path}\` ${expectation(issue)}.`
  if (issue.type === 'picklist')
    return `\`${path}\` must be one of ${issue.expected}; it is ${kindOf(issue.input)}.`
  const expected = issue.type === 'union' ? describeUnion(issue.expected) : describeType(issue)
  return `\`${path}\` must be ${expected}; it is ${kindOf(issue.input)}.`
}

function expectation(issue: v.BaseIssue<unknown>): string {
  const requirement = 'requirement' in issue ? issue.requirement : undefined
  switch (issue.type) {
    case 'min_value':
      return `must be at least ${requirement}`
    case 'max_value':
      return `must be at most ${requirement}`
    case 'integer':
      return 'must be a whole number'
    case 'min_length':
    case 'non_empty':
      return typeof requirement === 'number' && requirement > 1
        ? `is too short (at least ${requirement})`
        : 'must not be empty'
    case 'max_length':
      return `is too long (at most ${requirement})`
    default:
      return issue.message
  }
}

const TYPES: Record<string, string> = {
  string: 'a string',
  number: 'a number',
  boolean: 'a boolean',
  Array: 'a list',
  Object: 'an object',
}

/** The only custom schema is `plainObject`. */
const describeType = ({ type, expected }: v.BaseIssue<unknown>): string =>
  type === 'custom' ? 'an object' : nameType(expected ?? '')

const nameType = (expected: string): string => TYPES[expected] ?? 'of another type'

function describeUnion(expected: string | null): string {
  const names = (expected ?? '').replace(/[()]/g, '').split(' | ').map(nameType)
  return [...new Set(names)].join(' or ')
}

/** True when no list or object is nested deeper than `maximum` levels. Does not recurse; cycles count as too deep. */
export function isWithinDepth(value: unknown, maximum: number): boolean {
  if (typeof value !== 'object' || value === null) return true
  let level: object[] = [value]
  for (let depth = 0; level.length > 0; depth++) {
    if (depth >= maximum) return false
    const below: object[] = []
    for (const item of level) {
      for (const child of Object.values(item)) {
        if (typeof child === 'object' && child !== null) below.push(child)
      }
    }
    level = below
  }
  return true
}

export const isPlainObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** An object that is no list; valibot's own object and record take lists too. */
/** The schema of `json_object`, in a form that callers do not write: servers are asked for it in their own words. */
export const ANY_OBJECT: Readonly<Record<string, unknown>> = { type: 'object', additionalProperties: true }

export const isAnyObject = (schema: Readonly<Record<string, unknown>>): boolean =>
  Object.keys(schema).length === 2 &&
  Object.entries(ANY_OBJECT).every(([name, value]) => schema[name] === value)

export const plainObject = v.custom<Record<string, unknown>>(isPlainObject)
