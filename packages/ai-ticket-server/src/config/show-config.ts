import type { SettingBody } from '@ai-ticket/control'
import type { Tuning } from '@ai-ticket/core'
import type { ApiKey } from '@ai-ticket/http-server'
import * as v from 'valibot'
import { entrySchemaOf } from './backend-schema.ts'
import type { ResolvedConfig } from './config.ts'
import type { Origin } from './config-problems.ts'
import { type SettingName, settingList } from './settings.ts'
import { TUNING_PLACES } from './tuning-schema.ts'

export interface ConfigRow {
  readonly key: string
  /** Masked where it is a secret. */
  readonly value: unknown
  readonly origin: Origin
  /** Null: it has none. */
  readonly fallback: unknown
  readonly secret: boolean
  /** A change takes effect while the server runs. */
  readonly live: boolean
  /** What the file may say; of a secret, what the variable stands for. */
  readonly schema: v.GenericSchema
  readonly words: string
}

export const MASK = '***'

/** Settings that a running server obeys at once, beside the numbers of the desk and the backends. */
const LIVE: ReadonlySet<SettingName> = new Set([
  ...(['logLevel', 'contextPolicy', 'history', 'keepDays', 'keepFailedDays', 'keepTickets'] as const),
])

/** Every value of the configuration under its name in the file, and where it came from. Secrets are masked. */
export function configRows(resolved: ResolvedConfig, defaults: Readonly<Tuning>): ConfigRow[] {
  return [...settingRows(resolved), ...backendRows(resolved), ...tuningRows(resolved, defaults)]
}

function settingRows({ config, origins }: ResolvedConfig): ConfigRow[] {
  return settingList.map(([name, { key, secret = false, schema, fileSchema, fallback, words }]) => ({
    key,
    value: secret ? mask(config[name]) : config[name],
    origin: origins[name],
    fallback,
    secret,
    live: LIVE.has(name),
    schema: fileSchema || schema,
    words: `${words}.`,
  }))
}

function mask(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(maskKey)
  return value === '' ? value : MASK
}

/** As in AI_TICKET_API_KEYS: whose it is and what it may do are not secret. */
function maskKey({ name = '', scopes }: ApiKey): string {
  const label = `${name}${scopes === undefined ? '' : `:${scopes.join('+')}`}`
  return label === '' ? MASK : `${label}=${MASK}`
}

function backendRows(resolved: ResolvedConfig): ConfigRow[] {
  return resolved.config.backends.flatMap(({ name, ...entries }) =>
    Object.entries(entries).map(([entry, value]) => {
      const secret = entry === 'api_key'
      const schema = secret ? SECRET_TEXT : (entrySchemaOf(entries.type, entry) ?? v.unknown())
      const origin = (secret ? resolved.keyOrigins[name] : undefined) ?? entryOrigin(resolved, name, entry)
      return {
        key: `backends.${name}.${entry}`,
        value: secret ? MASK : value,
        origin,
        fallback: origin.kind === 'default' ? value : null,
        live: entries.type !== 'llama',
        secret,
        schema,
        words: v.getDescription(schema) ?? '',
      }
    }),
  )
}

const SECRET_TEXT = v.pipe(v.string(), v.description('Sent to the server as its API key.'))

/** Of an entry that was not set itself, where its backend came from. */
function entryOrigin({ origins, sources }: ResolvedConfig, name: string, entry: string): Origin {
  const { backends } = origins
  if (backends.kind !== 'file' && backends.kind !== 'console') return backends
  const { console: layer } = sources
  const isSet = [`backends.${name}`, `backends.${name}.${entry}`].some(
    (key) => key in (layer?.settings ?? {}),
  )
  if (layer !== undefined && isSet) return { kind: 'console', name: layer.name }
  // The file has none, and the default one is still there.
  return backends.kind === 'console' ? { kind: 'default' } : backends
}

function tuningRows(
  { config, sources: { console: layer }, tuningOrigin }: ResolvedConfig,
  defaults: Readonly<Tuning>,
): ConfigRow[] {
  return TUNING_PLACES.map(({ name, group, key, schema }) => {
    const given = config.tuning[name]
    const isSet = layer !== undefined && `${group}.${key}` in layer.settings
    const origin = isSet ? ({ kind: 'console', name: layer.name } as const) : tuningOrigin
    return {
      key: `${group}.${key}`,
      value: given ?? defaults[name],
      origin: given === undefined ? { kind: 'default' } : origin,
      live: true,
      fallback: defaults[name],
      secret: false,
      schema,
      words: v.getDescription(schema) ?? '',
    }
  })
}

/** The rows as `GET /config` has them. */
export async function configSettings(rows: readonly ConfigRow[]): Promise<SettingBody[]> {
  // Loaded when somebody asks.
  const { toJsonSchema } = await import('@valibot/to-json-schema')
  return rows.map(({ key, value, origin, fallback, secret, live, schema, words }) => {
    // What code checks has no place in a JSON Schema; the words stand in `summary`.
    const converted = toJsonSchema(schema, { ignoreActions: ['check', 'metadata', 'description'] })
    const { $schema: _dialect, ...rest } = converted
    return {
      key,
      value,
      origin: origin.kind === 'console' ? { kind: 'console' } : origin,
      default: fallback,
      secret,
      live,
      locked: origin.kind === 'flag' || origin.kind === 'environment',
      schema: rest,
      summary: words,
    }
  })
}
