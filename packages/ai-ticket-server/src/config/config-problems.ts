import type * as v from 'valibot'

/** Where a value of the configuration came from. */
export type Origin =
  | { readonly kind: 'flag' | 'environment' | 'file' | 'console'; readonly name: string }
  | { readonly kind: 'default' }

/** Why the start is refused: the key, what is wrong with it, and what to do. Never the value of a text. */
export interface ConfigProblem {
  readonly key: string
  readonly message: string
}

type Issue = v.BaseIssue<unknown>

/** One problem for each key that valibot found fault with. */
export function problemsOf(issues: readonly Issue[], origin: Origin, key = ''): ConfigProblem[] {
  const problems = new Map<string, ConfigProblem>()
  for (const issue of issues) {
    const path = keyPath(key, issue)
    if (!problems.has(path)) problems.set(path, { key: path, message: sentence(path, issue, origin) })
  }
  return [...problems.values()]
}

export function describeOrigin(origin: Origin): string {
  if (origin.kind === 'default' || origin.kind === 'console') return origin.kind
  return `${origin.kind} ${origin.name}`
}

/** By keys, where flags and variables stand alone. */
const isKept = ({ kind }: Origin): boolean => kind === 'file' || kind === 'console'

/** What the operator has to look at: the flag or the variable itself, or the key in the file. */
export function placeOf(key: string, origin: Origin): string {
  if (origin.kind === 'default') return key
  return isKept(origin) ? `${key} in ${origin.name}` : origin.name
}

function sentence(path: string, issue: Issue, origin: Origin): string {
  const where =
    origin.kind === 'file' || origin.kind === 'console'
      ? `${path || 'the configuration'} in ${origin.name}`
      : path
  // Missing and unknown keys bring their own predicate and remedy.
  if (issue.type === 'strict_object' && issue.path?.at(-1)?.origin === 'key')
    return `${where} ${issue.message}`
  return `${where} is ${kindOf(issue.input)}, but must be ${issue.message}. ${remedy(origin)}`
}

function remedy(origin: Origin): string {
  if (origin.kind === 'file') return 'Correct it, or remove it for the default.'
  if (origin.kind === 'console') return 'Correct it, or remove it.'
  if (origin.kind === 'flag') return `Correct it, or leave ${origin.name} out for the default.`
  return 'Correct it, or unset it for the default.'
}

/** The type of a value in plain words. Numbers are shown, texts never are: they might be secrets. */
function kindOf(value: unknown): string {
  if (value === undefined) return 'missing'
  if (value === null) return 'null'
  if (typeof value === 'number') return `the number ${value}`
  if (typeof value === 'string') return value === '' ? 'an empty text' : 'a text'
  if (typeof value === 'boolean') return String(value)
  return Array.isArray(value) ? `a list of ${value.length}` : 'an object'
}

function keyPath(key: string, issue: Issue): string {
  let path = key
  for (const item of issue.path ?? []) {
    if (typeof item.key === 'number') path += `[${item.key}]`
    else path += path === '' ? String(item.key) : `.${String(item.key)}`
  }
  return path
}
