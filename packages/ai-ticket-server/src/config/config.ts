import { createRequire } from 'node:module'
import type { Tuning } from '@ai-ticket/core'
import * as v from 'valibot'
import { resolveListedKeys } from './api-keys.ts'
import { type BackendConfig, resolveBackends } from './backend-config.ts'
import { type ConfigProblem, type Origin, placeOf, problemsOf } from './config-problems.ts'
import { type ConfigFile, ConfigFileSchema } from './config-schema.ts'
import { type ConsoleLayer, overlay } from './console-settings.ts'
import { suggestion } from './schema-parts.ts'
import {
  readText,
  SETTINGS,
  type Setting,
  type SettingName,
  type SettingValues,
  settingList,
  sourceList,
} from './settings.ts'
import { tuningFrom } from './tuning-schema.ts'

/** Texts as they were given: flags by their long form with dashes. An empty variable counts as unset. */
export interface ConfigSources {
  readonly flags: Readonly<Record<string, string | undefined>>
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Which of the variables come from the file `.env`. */
  readonly dotEnv?: ReadonlySet<string> | undefined
  readonly file?: { readonly name: string; readonly text: string } | undefined
  /** What was set while the server ran. */
  readonly console?: ConsoleLayer | undefined
}

export type Config = Readonly<SettingValues> & {
  readonly backends: readonly BackendConfig[]
  /** The numbers of the desk that the file sets; the rest are core's defaults. */
  readonly tuning: Partial<Tuning>
}

export interface ResolvedConfig {
  readonly config: Config
  readonly origins: Readonly<Record<SettingName | 'backends', Origin>>
  /** Where the key of each backend came from, by the backend's name. */
  readonly keyOrigins: Readonly<Record<string, Origin>>
  /** Of the numbers in `tuning` that the file gives. */
  readonly tuningOrigin: Origin
  /** What all of it was made of: to resolve it again with other settings of the console. */
  readonly sources: ConfigSources
  readonly warnings: readonly string[]
  /** What a reader of the log may wonder about, and nobody has to change. */
  readonly notes: readonly string[]
}

export type ConfigResult =
  | { readonly ok: true; readonly value: ResolvedConfig }
  | { readonly ok: false; readonly problems: readonly ConfigProblem[] }

export const CONFIG_FLAGS: readonly string[] = sourceList.flatMap(({ flag }) => flag ?? [])

const KNOWN_VARIABLES = sourceList.map(({ environment }) => environment)

/** Flags over environment over console over file over defaults. Pure: the caller has read the files. */
export function resolveConfig(sources: ConfigSources): ConfigResult {
  const { flags, environment: given, dotEnv, file, console: layer } = sources
  const labelOf = (variable: string) => (dotEnv?.has(variable) ? `${variable} in .env` : variable)
  const { content: fromFile, problems: fileProblems } = parseFile(file)
  const { content, problems: consoleProblems, unused } = overlay(fromFile, layer)
  const variables = [...KNOWN_VARIABLES, ...variablesNamedIn(content)]
  const { environment: bare, problems: quoteProblems } = takeQuotesAway(given, variables)
  const environment = withoutEmpty(bare)
  const problems = [...fileProblems, ...consoleProblems, ...quoteProblems]
  const values: Record<string, unknown> = {}
  const origins: Record<string, Origin> = {}
  for (const [name, setting] of settingList) {
    const kept = keptIn(setting.key, { file, layer })
    const found = find(setting, { flags, environment, labelOf, content, kept })
    problems.push(...check(setting, found))
    values[name] = found.value
    origins[name] = found.origin
  }
  const origin = origins.apiKeys
  if (content.api_keys !== undefined && (origin?.kind === 'file' || origin?.kind === 'console')) {
    const { keys, problems: found } = resolveListedKeys({ listed: content.api_keys, origin, environment })
    values.apiKeys = keys
    problems.push(...found)
  }
  const listed = content.backends && {
    backends: content.backends,
    origin: keptIn('backends', { file: fromFile.backends && file, layer }),
  }
  const resolved = resolveBackends({ flags, environment, labelOf, listed })
  problems.push(...resolved.problems)
  const config = { ...(values as SettingValues), backends: resolved.backends, tuning: tuningFrom(content) }
  if (problems.length > 0) return { ok: false, problems }
  const warnings = [
    ...resolved.warnings,
    ...unknownVariables(environment),
    ...(listed && resolved.origin === listed.origin ? unused.map((key) => unusedKey(key, layer)) : []),
  ]
  return {
    ok: true,
    value: {
      config,
      origins: { ...(origins as Record<SettingName, Origin>), backends: resolved.origin },
      keyOrigins: resolved.keyOrigins,
      tuningOrigin: file === undefined ? { kind: 'default' } : { kind: 'file', name: file.name },
      sources,
      warnings,
      notes: notesOn({ environment, dotEnv, file }),
    },
  }
}

/** The file, or the console where that has the last word. */
function keptIn(
  key: string,
  { file, layer }: { readonly file: ConfigSources['file']; readonly layer: ConsoleLayer | undefined },
): KeptOrigin {
  const isSet = layer !== undefined && Object.hasOwn(layer.settings, key)
  if (layer !== undefined && (isSet || file === undefined)) return { kind: 'console', name: layer.name }
  return { kind: 'file', name: file?.name ?? '' }
}

type KeptOrigin = Origin & { readonly kind: 'file' | 'console'; readonly name: string }

const unusedKey = (key: string, layer: ConsoleLayer | undefined): string =>
  `${key} in ${layer?.name ?? ''} is not used: there is no such backend.`

function notesOn({ environment, dotEnv, file }: Omit<ConfigSources, 'flags'>): string[] {
  const used = [...(dotEnv ?? [])].filter((name) => KNOWN_VARIABLES.includes(name))
  return [
    ...(file === undefined ? [] : [`The configuration file is ${file.name}.`]),
    ...(used.length === 0 ? [] : [`The file .env sets ${used.join(', ')}.`]),
    ...(environment.DATABASE_URL === undefined || environment[DATABASE] !== undefined
      ? []
      : [`DATABASE_URL is set and not used. If it is the database for tickets, call it ${DATABASE}.`]),
  ]
}

/** A bare `DATABASE_URL` is usually that of another application, in whose folder a command was called. */
const DATABASE = SETTINGS.databaseUrl.environment

const withoutEmpty = (given: ConfigSources['environment']) =>
  Object.fromEntries(Object.entries(given).filter(([, text]) => text !== undefined && text.trim() !== ''))

/** The variables that hold the keys. */
const variablesNamedIn = ({ api_keys = [], backends = [] }: ConfigFile): string[] => [
  ...api_keys.flatMap(({ key_env }) => key_env ?? []),
  ...backends.flatMap((backend) => (backend.type === 'llama' ? [] : (backend.api_key_env ?? []))),
]

/** Only a file with comments needs the library, and every command waits for what is loaded at the start. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    const { parseJSONC } = createRequire(import.meta.url)('confbox/jsonc') as typeof import('confbox/jsonc')
    return parseJSONC(text, { allowTrailingComma: true })
  }
}

function parseFile(file: ConfigSources['file']): { content: ConfigFile; problems: ConfigProblem[] } {
  if (file === undefined) return { content: {}, problems: [] }
  const refuse = (message: string) => ({ content: {}, problems: [{ key: file.name, message }] })
  let json: unknown
  try {
    json = parseJson(file.text)
  } catch (error) {
    // The parser's own message quotes the text around the fault, which may be a secret.
    const [place = ''] = /line \d+ column \d+/.exec(String(error)) ?? []
    return refuse(
      `${file.name} is not valid JSON${place && ` (${place})`}. Correct it; comments and a comma at the end are allowed.`,
    )
  }
  // To valibot a list is an object, too.
  if (Array.isArray(json))
    return refuse(
      `${file.name} holds a list, but must hold an object with settings. Put them between braces.`,
    )
  const parsed = v.safeParse(ConfigFileSchema, json, { abortPipeEarly: true })
  if (parsed.success) return { content: parsed.output, problems: [] }
  return { content: {}, problems: problemsOf(parsed.issues, { kind: 'file', name: file.name }) }
}

interface Places {
  readonly flags: ConfigSources['flags']
  readonly environment: ConfigSources['environment']
  readonly labelOf: (variable: string) => string
  readonly content: ConfigFile
  /** What its value in `content` comes from. */
  readonly kept: KeptOrigin
}

function find(setting: Setting, places: Places): { value: unknown; origin: Origin } {
  const { flag, environment: variable } = setting
  const flagText = flag === undefined ? undefined : places.flags[flag]
  if (flag !== undefined && flagText !== undefined) {
    return { value: readText(setting, flagText), origin: { kind: 'flag', name: flag } }
  }
  const variableText = places.environment[variable]
  if (variableText !== undefined) {
    return {
      value: readText(setting, variableText.trim()),
      origin: { kind: 'environment', name: places.labelOf(variable) },
    }
  }
  const fileValue = (places.content as Readonly<Record<string, unknown>>)[setting.key]
  if (fileValue !== undefined) return { value: fileValue, origin: places.kept }
  return { value: setting.fallback, origin: { kind: 'default' } }
}

/** Texts of flags and variables; the file was checked as a whole, and defaults are ours. */
function check(setting: Setting, { value, origin }: { value: unknown; origin: Origin }): ConfigProblem[] {
  if (origin.kind !== 'flag' && origin.kind !== 'environment') return []
  const parsed = v.safeParse(setting.schema, value, { abortPipeEarly: true })
  return parsed.success ? [] : problemsOf(parsed.issues, origin, origin.name)
}

/** Warnings, not errors: another version may know the variable. */
function unknownVariables(environment: ConfigSources['environment']): string[] {
  return Object.keys(environment)
    .filter((name) => /^(AI_?TICKET_|KOBOLDCPP_API)/i.test(name) && !KNOWN_VARIABLES.includes(name))
    .map((name) => {
      const bare = name.replace(/^AI_?TICKET_/i, '')
      const meant = KNOWN_VARIABLES.includes(bare)
        ? ` Did you mean "${bare}"?`
        : suggestion(name, KNOWN_VARIABLES)
      return `${name} is not a known variable and is ignored.${meant}`
    })
}

/** Why this configuration must not serve. Commands that do not serve need not ask. */
export const servingProblems = (resolved: ResolvedConfig): ConfigProblem[] => [
  ...exposureProblems(resolved),
  ...callbackProblems(resolved),
  ...loopProblems(resolved),
]

/**
 * Why this configuration must not listen: others on the network could use the GPU, so the operator has to want that.
 * Commands that do not listen need not ask.
 */
export function exposureProblems({ config, origins }: ResolvedConfig): ConfigProblem[] {
  const { host, apiKeys, allowAnonymous } = config
  if (isLoopback(host) || apiKeys.length > 0 || allowAnonymous) return []
  // Some shells, and conda, set HOST to the name or the kind of the machine.
  const unset =
    origins.host.kind === 'environment' ? ` If you did not set ${origins.host.name} yourself, unset it.` : ''
  return [
    {
      key: 'host',
      message:
        `${placeOf('host', origins.host)} is an address that others can reach, and no API keys are set. Set ` +
        'AI_TICKET_API_KEYS to one or more keys, or AI_TICKET_ALLOW_ANONYMOUS=true to serve anybody, or listen on ' +
        `127.0.0.1.${unset}`,
    },
  ]
}

const isLoopback = (host: string): boolean =>
  host.toLowerCase() === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host)

const isAnyAddress = (host: string): boolean => host === '0.0.0.0' || host === '::'

/** A server that is its own backend answers nothing: every event waits for itself. */
function loopProblems({ config, origins }: ResolvedConfig): ConfigProblem[] {
  const { host, port, backends } = config
  const reaches = (other: string) =>
    other === host || ((isLoopback(other) || isAnyAddress(other)) && (isLoopback(host) || isAnyAddress(host)))
  return backends.flatMap((backend) => {
    if (backend.type === 'llama') return []
    const { protocol, hostname, port: given } = new URL(backend.url)
    const otherPort = Number(given || (protocol === 'https:' ? 443 : 80))
    if (otherPort !== port || !reaches(hostname.replace(/^\[|\]$/g, ''))) return []
    const other = port === 5000 ? 5005 : 5000
    const message =
      `The backend ${backend.name} has the address that this server listens on (port ${port}), so every event would wait ` +
      `for itself. Name the address of your model server in ${placeOf('backends', origins.backends)}, or choose another ` +
      `port for this one: --port ${other}`
    return [{ key: 'backends', message }]
  })
}

/** A receiver could not tell an unsigned callback from anybody else's. */
function callbackProblems({ config, origins }: ResolvedConfig): ConfigProblem[] {
  const { callbackAllow, callbackSecrets } = config
  if (callbackAllow.length === 0 || callbackSecrets.length > 0) return []
  return [
    {
      key: 'callback_secret',
      message:
        `${placeOf('callback_allow', origins.callbackAllow)} is set, but there is no secret to sign callbacks with. Set ` +
        'AI_TICKET_CALLBACK_SECRET, for example to what `echo whsec_$(openssl rand -base64 32)` prints, or unset ' +
        `${placeOf('callback_allow', origins.callbackAllow)}.`,
    },
  ]
}

type Environment = Readonly<Record<string, string | undefined>>

const IN_QUOTES = /^\s*(["'`])(.*)\1\s*$/s

/**
 * A problem for each of these variables whose value is in quotation marks. A shell takes them away; `docker --env-file`
 * leaves them in the value, and they would end up in keys, paths and addresses. `environment`: without them, to find
 * further problems.
 */
export function takeQuotesAway(
  given: Environment,
  names: readonly string[],
): { readonly environment: Environment; readonly problems: ConfigProblem[] } {
  const environment: Record<string, string | undefined> = { ...given }
  const problems: ConfigProblem[] = []
  for (const name of new Set(names)) {
    const inner = IN_QUOTES.exec(given[name] ?? '')?.[2]
    if (inner === undefined) continue
    environment[name] = inner
    const message = `${name} has quotation marks around its value. Remove them: docker --env-file and some other programs pass them on as part of the value.`
    problems.push({ key: name, message })
  }
  return { environment, problems }
}
