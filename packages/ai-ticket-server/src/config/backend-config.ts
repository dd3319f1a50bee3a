import * as v from 'valibot'
import { BackendUrlSchema, type ListedBackend } from './backend-schema.ts'
import { type ConfigProblem, type Origin, problemsOf } from './config-problems.ts'
import { asList } from './schema-parts.ts'
import { SOURCES } from './settings.ts'

/** A backend with its key looked up. */
export type BackendConfig = ListedBackend extends infer Listed
  ? Listed extends ListedBackend
    ? Omit<Listed, 'api_key_env'> & { readonly api_key?: string }
    : never
  : never

/** Where the backend is, for people. */
export const addressOf = (backend: BackendConfig): string =>
  backend.type === 'llama' ? backend.model_path : backend.url

interface BackendSources {
  readonly flags: Readonly<Record<string, string | undefined>>
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly file: { readonly name: string; readonly backends: ListedBackend[] | undefined } | undefined
}

interface ResolvedBackends {
  readonly backends: BackendConfig[]
  readonly origin: Origin
  readonly keyOrigins: Readonly<Record<string, Origin>>
  readonly problems: ConfigProblem[]
  readonly warnings: string[]
}

const { flag: URL_FLAG, environment: URL_VARIABLE, fallback: DEFAULT_URL } = SOURCES.backends
const KEY_VARIABLE = SOURCES.backendKeys.environment

/** The backends, from the first source that names any: the flag, the variable, the file, the default. */
export function resolveBackends({ flags, environment, file }: BackendSources): ResolvedBackends {
  const keys = asList(environment[KEY_VARIABLE] ?? '')
  if (flags[URL_FLAG] !== undefined) {
    return fromUrls(flags[URL_FLAG], { kind: 'flag', name: URL_FLAG }, keys)
  }
  if (environment[URL_VARIABLE] !== undefined) {
    return fromUrls(environment[URL_VARIABLE], { kind: 'environment', name: URL_VARIABLE }, keys)
  }
  if (file?.backends !== undefined) {
    return fromFile(file.backends, { kind: 'file', name: file.name }, environment)
  }
  return fromUrls(DEFAULT_URL, { kind: 'default' }, keys)
}

function fromUrls(list: string, origin: Origin, keys: string[]): ResolvedBackends {
  const key = origin.kind === 'default' ? 'url' : origin.name
  const urls = asList(list)
  const parsed = v.safeParse(v.pipe(v.array(BackendUrlSchema), v.minLength(1, 'at least one address')), urls)
  const problems = parsed.success ? [] : problemsOf(parsed.issues, origin, key)
  if (keys.length > 1 && keys.length !== urls.length) {
    problems.push({
      key: KEY_VARIABLE,
      message: `${KEY_VARIABLE} holds ${keys.length} keys for ${urls.length} addresses. Give one for all, or one for each, in the same order.`,
    })
  }
  problems.push(...keyProblems(keys, KEY_VARIABLE))
  const backends = urls.map((url, index): BackendConfig => {
    const apiKey = keys.length === 1 ? keys[0] : keys[index]
    const name = urls.length === 1 ? 'kobold' : `kobold-${index + 1}`
    return { name, type: 'kobold', url, ...(apiKey !== undefined && { api_key: apiKey }) }
  })
  const keyOrigin: Origin = { kind: 'environment', name: KEY_VARIABLE }
  const keyOrigins = Object.fromEntries(backends.map(({ name }) => [name, keyOrigin]))
  return { backends, origin, keyOrigins, problems, warnings: [] }
}

/** A key that a header cannot carry would fail at every call. */
function keyProblems(keys: readonly string[], variable: string): ConfigProblem[] {
  if (keys.every((key) => /^[\x21-\x7e]+$/.test(key))) return []
  const message = `${variable} holds a key with characters that a header cannot carry. Use visible ASCII characters only.`
  return [{ key: variable, message }]
}

function fromFile(
  listed: ListedBackend[],
  origin: Origin & { name: string },
  environment: BackendSources['environment'],
): ResolvedBackends {
  const problems: ConfigProblem[] = []
  const keyOrigins: Record<string, Origin> = {}
  const backends = listed.map((given, index): BackendConfig => {
    if (listed.findIndex(({ name }) => name === given.name) !== index) {
      problems.push({
        key: `backends[${index}].name`,
        message: `backends[${index}].name in ${origin.name} is the name of an earlier backend, too. Give each backend its own name.`,
      })
    }
    // A model in this process needs no key.
    if (given.type === 'llama') return given
    const { api_key_env: variable, ...backend } = given
    if (variable === undefined) return backend
    const apiKey = environment[variable]
    if (apiKey === undefined) {
      problems.push({
        key: `backends[${index}].api_key_env`,
        message: `backends[${index}].api_key_env in ${origin.name} names the variable ${variable}, which is not set. Set it, or remove the line.`,
      })
      return backend
    }
    problems.push(...keyProblems([apiKey], variable))
    keyOrigins[backend.name] = { kind: 'environment', name: variable }
    return { ...backend, api_key: apiKey }
  })
  const warnings =
    environment[KEY_VARIABLE] === undefined
      ? []
      : [
          `${KEY_VARIABLE} is not used: the backends come from ${origin.name}, where "api_key_env" names the variable of each.`,
        ]
  return { backends, origin, keyOrigins, problems, warnings }
}
