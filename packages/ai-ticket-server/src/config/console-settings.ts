import * as v from 'valibot'
import { BackendSchema, entrySchemaOf, type ListedBackend } from './backend-schema.ts'
import { type ConfigProblem, type Origin, problemsOf } from './config-problems.ts'
import type { ConfigFile } from './config-schema.ts'
import { suggestion } from './schema-parts.ts'
import { SOURCES, settingList } from './settings.ts'
import { TUNING_PLACES } from './tuning-schema.ts'

/** Values by the keys of `GET /config`, as they were set while the server ran. Null stands for a backend that was removed. */
export type ConsoleSettings = Readonly<Record<string, unknown>>

/** What `PATCH /config` has set. It stands over the configuration file, and under flags and variables. */
export interface ConsoleLayer {
  /** Where it is kept, for people. */
  readonly name: string
  readonly settings: ConsoleSettings
}

const FILE_EXPECTED = 'an object with "settings" and "changes", as the server writes it'

const ConsoleFileSchema = v.strictObject(
  {
    settings: v.record(v.string(), v.unknown(), 'an object of settings'),
    changes: v.array(
      v.strictObject({
        at: v.pipe(v.string(), v.isoTimestamp()),
        by: v.string(),
        key: v.string(),
        before: v.unknown(),
        after: v.unknown(),
      }),
      'a list of changes',
    ),
  },
  FILE_EXPECTED,
)

/** `console.json`: what is set, and the history of it, newest last. */
export type ConsoleFile = v.InferOutput<typeof ConsoleFileSchema>

/** Reads `console.json`, or says why it cannot be read. */
export function readConsoleFile(
  name: string,
  text: string,
):
  | { readonly ok: true; readonly value: ConsoleFile }
  | { readonly ok: false; readonly problems: ConfigProblem[] } {
  const refuse = (words: string) => ({
    ok: false as const,
    problems: [{ key: name, message: `${name} ${words} ${REMEDY}` }],
  })
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    return refuse('is not valid JSON.')
  }
  const parsed = v.safeParse(ConsoleFileSchema, json)
  return parsed.success ? { ok: true, value: parsed.output } : refuse(`does not hold ${FILE_EXPECTED}.`)
}

const REMEDY = 'Correct it; or remove it, and with it what was set while the server ran.'

interface Overlaid {
  readonly content: ConfigFile
  readonly problems: readonly ConfigProblem[]
  /** Keys of backends that are not there (any more). */
  readonly unused: readonly string[]
}

/** What is set, over what the file says. Each value is checked as it would be in the file. */
export function overlay(file: ConfigFile, layer: ConsoleLayer | undefined): Overlaid {
  if (layer === undefined) return { content: file, problems: [], unused: [] }
  const origin: ConsoleOrigin = { kind: 'console', name: layer.name }
  const content: Record<string, unknown> = { ...file }
  const problems: ConfigProblem[] = []
  const ofBackends: [string, unknown][] = []
  for (const [key, value] of Object.entries(layer.settings)) {
    if (key.startsWith(BACKENDS)) {
      ofBackends.push([key.slice(BACKENDS.length), value])
      continue
    }
    const place = placeOfKey(key)
    if (typeof place === 'string') problems.push({ key, message: `${shown(key)} in ${layer.name} ${place}` })
    else {
      const parsed = v.safeParse(place.schema, value, { abortPipeEarly: true })
      if (!parsed.success) problems.push(...problemsOf(parsed.issues, origin, key))
      else if (place.group === undefined) content[key] = value
      else content[place.group] = { ...(content[place.group] as object | undefined), [place.name]: value }
    }
  }
  if (ofBackends.length === 0) return { content: content as ConfigFile, problems, unused: [] }
  const { backends, problems: wrong, unused } = overlayBackends(file.backends ?? DEFAULT, ofBackends, origin)
  return { content: { ...content, backends } as ConfigFile, problems: [...problems, ...wrong], unused }
}

type ConsoleOrigin = Origin & { readonly kind: 'console'; readonly name: string }

export const BACKENDS = 'backends.'

const DEFAULT: readonly ListedBackend[] = [{ name: 'kobold', type: 'kobold', url: SOURCES.backends.fallback }]

interface PlaceOfKey {
  readonly schema: v.GenericSchema
  /** Undefined: at the top of the file. */
  readonly group?: string
  readonly name: string
}

/** Where the file has it, and what it may be; a text says why it cannot be set. */
function placeOfKey(key: string): PlaceOfKey | string {
  const place = TUNING_PLACES.find((one) => `${one.group}.${one.key}` === key)
  if (place) return { schema: place.schema, group: place.group, name: place.key }
  const [, setting] = settingList.find(([, one]) => one.key === key) ?? []
  if (setting === undefined) return `is not a known setting.${suggestion(key, KNOWN)}`
  const { schema, fileSchema = schema, environment } = setting
  if (fileSchema === false) return `is a secret. Set the variable ${environment} instead, and restart.`
  if (key === 'data_dir') {
    return `says where settings are kept, so it cannot be one of them. Set it in the file, or set ${environment}.`
  }
  return { schema: fileSchema, name: key }
}

const KNOWN = [
  ...settingList.map(([, { key }]) => key),
  ...TUNING_PLACES.map(({ group, key }) => `${group}.${key}`),
]

/** An unknown key may be anything. */
const shown = (key: string): string => (key.length > 100 ? `${key.slice(0, 100)}…` : key)

/** Whole backends first, then entries of those that are there. */
function overlayBackends(
  listed: readonly ListedBackend[],
  changes: readonly (readonly [rest: string, value: unknown])[],
  origin: ConsoleOrigin,
) {
  const problems: ConfigProblem[] = []
  const unused: string[] = []
  let backends: readonly unknown[] = listed
  const take = (key: string, name: string, backend: unknown) => {
    const parsed = v.safeParse(BackendSchema, backend, { abortPipeEarly: true })
    if (!parsed.success) problems.push(...problemsOf(parsed.issues, origin, key))
    const isThere = backends.some((one) => nameOf(one) === name)
    backends = isThere
      ? backends.map((one) => (nameOf(one) === name ? backend : one))
      : [...backends, backend]
  }
  for (const [name, value] of changes.filter(([, one]) => isWhole(one))) {
    if (value === null) backends = backends.filter((one) => nameOf(one) !== name)
    else take(BACKENDS + name, name, { name, ...(value as object) })
  }
  for (const [rest, value] of changes.filter(([, one]) => !isWhole(one))) {
    const key = BACKENDS + rest
    const name = rest.slice(0, Math.max(0, rest.lastIndexOf('.')))
    const entry = rest.slice(name.length + 1)
    const backend = backends.find((one) => nameOf(one) === name) as ListedBackend | undefined
    if (backend === undefined) unused.push(key)
    else if (entrySchemaOf(backend.type, entry) === undefined || FIXED.includes(entry)) {
      problems.push({ key, message: `${shown(key)} in ${origin.name} ${whyNoEntry(entry)}` })
    } else take(BACKENDS + name, name, { ...backend, [entry]: value })
  }
  if (backends.length === 0) {
    const message = `${origin.name} leaves no backend. Keep at least one.`
    problems.push({ key: 'backends', message })
  }
  return { backends, problems, unused }
}

/** A backend, or null for none: no entry of one looks like that. */
export const isWhole = (value: unknown): boolean =>
  value === null || (typeof value === 'object' && !Array.isArray(value) && 'type' in value)

const nameOf = (backend: unknown): unknown => (backend as Partial<ListedBackend>).name

/** They say which backend it is. */
const FIXED: readonly string[] = ['name', 'type']

const whyNoEntry = (entry: string): string =>
  entry === 'api_key'
    ? 'is a secret. Set "api_key_env" to the name of the variable that holds it.'
    : 'is not a known key of this backend, or cannot be changed.'
