import * as v from 'valibot'
import { BackendUrlSchema, type ListedBackend, OpenAIUrlSchema } from './backend-schema.ts'
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
  /** A variable by its name, and where it was set. */
  readonly labelOf: (variable: string) => string
  /** Those of the file, with what was set while the server ran. */
  readonly listed:
    | { readonly origin: Origin & { readonly name: string }; readonly backends: ListedBackend[] }
    | undefined
}

interface ResolvedBackends {
  readonly backends: BackendConfig[]
  readonly origin: Origin
  readonly keyOrigins: Readonly<Record<string, Origin>>
  readonly problems: ConfigProblem[]
  readonly warnings: string[]
}

const { backends: KOBOLD, anyBackends: ANY } = SOURCES
const KEY_VARIABLE = SOURCES.backendKeys.environment

/** The backends, from the first source that names any: the flags, the variables, the file, the default. */
export function resolveBackends({ flags, environment, labelOf, listed }: BackendSources): ResolvedBackends {
  const keys = asList(environment[KEY_VARIABLE] ?? '')
  const fromFlags = namedIn([KOBOLD.flag, ANY.flag], flags)
  const keyLabel = labelOf(KEY_VARIABLE)
  if (fromFlags.length > 0) return fromNames(fromFlags, 'flag', { keys, keyLabel })
  const fromVariables = namedIn([KOBOLD.environment, ANY.environment], environment).map((one) => ({
    ...one,
    source: labelOf(one.source),
  }))
  if (fromVariables.length > 0) return fromNames(fromVariables, 'environment', { keys, keyLabel })
  if (listed !== undefined) return fromFile(listed.backends, listed.origin, environment)
  const named = [{ source: 'url', kind: 'kobold', url: KOBOLD.fallback, place: 'url' }]
  return { ...fromNames(named, 'environment', { keys, keyLabel }), origin: { kind: 'default' } }
}

/** A server as a flag or a variable names it. */
interface Named {
  /** The flag or the variable. */
  readonly source: string
  readonly kind: string
  readonly url: string
  /** What a problem is named after. */
  readonly place: string
}

const namedIn = (names: readonly string[], texts: Readonly<Record<string, string | undefined>>): Named[] =>
  names.flatMap((source) => {
    const text = texts[source]
    if (text === undefined) return []
    const items = asList(text)
    // It is there and names nothing, which is a mistake.
    if (items.length === 0) return [{ source, kind: 'kobold', url: '', place: source }]
    return items.map((item, index) => {
      const [, kind = 'kobold', url = ''] = /^(?:([A-Za-z]\w*)=)?(.*)$/s.exec(item) ?? []
      return { source, kind, url, place: `${source}[${index}]` }
    })
  })

function fromNames(
  named: readonly Named[],
  kind: 'flag' | 'environment',
  { keys, keyLabel }: { readonly keys: readonly string[]; readonly keyLabel: string },
): ResolvedBackends {
  const origin = { kind, name: [...new Set(named.map(({ source }) => source))].join(' and ') } as const
  const problems = named.flatMap((one) => checkNamed(one, { kind, name: one.source }))
  const kobolds = named.filter((one) => one.kind === 'kobold')
  if (keys.length > 1 && keys.length !== kobolds.length) {
    problems.push({
      key: KEY_VARIABLE,
      message: `${KEY_VARIABLE} holds ${keys.length} keys for ${kobolds.length} addresses. Give one for all, or one for each, in the same order.`,
    })
  }
  problems.push(...keyProblems(keys, KEY_VARIABLE))
  const backends = named.map((one): BackendConfig => {
    const alike = named.filter((other) => other.kind === one.kind)
    const index = alike.indexOf(one)
    const name = alike.length === 1 ? one.kind : `${one.kind}-${index + 1}`
    const [url = '', model] = one.url.split('#')
    const backend = { name, url, ...(model && { model }) }
    if (one.kind === 'openai') return { ...backend, type: 'openai' }
    const apiKey = keys.length === 1 ? keys[0] : keys[index]
    return { ...backend, type: 'kobold', ...(apiKey !== undefined && { api_key: apiKey }) }
  })
  const keyOrigin: Origin = { kind: 'environment', name: keyLabel }
  const keyOrigins = Object.fromEntries(backends.map(({ name }) => [name, keyOrigin]))
  return { backends, origin, keyOrigins, problems, warnings: [] }
}

const SCHEMA_OF_KIND: ReadonlyMap<string, v.GenericSchema> = new Map<string, v.GenericSchema>([
  ['kobold', BackendUrlSchema],
  ['openai', OpenAIUrlSchema],
])

function checkNamed(
  { kind, url, place }: Named,
  origin: Origin & { readonly name: string },
): ConfigProblem[] {
  const schema = SCHEMA_OF_KIND.get(kind)
  if (schema === undefined) {
    const message = `${place} is of the kind "${kind}", but must be kobold=http://… or openai=http://… (Ollama, llama.cpp, vLLM and LM Studio are openai). Correct it.`
    return [{ key: place, message }]
  }
  const parsed = v.safeParse(schema, kind === 'openai' ? url.replace(/#.*$/s, '') : url)
  return parsed.success ? [] : problemsOf(parsed.issues, origin, place)
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
