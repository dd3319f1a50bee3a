import type { SettingBody } from '@ai-ticket/control'
import type { Tuning } from '@ai-ticket/core'
import type { ApiKey } from '@ai-ticket/http-server'
import * as v from 'valibot'
import { entrySchemaOf } from './backend-schema.ts'
import type { ResolvedConfig } from './config.ts'
import type { Origin } from './config-problems.ts'
import { settingList } from './settings.ts'
import { TUNING_PLACES } from './tuning-schema.ts'

interface ConfigRow {
  readonly key: string
  /** Masked where it is a secret. */
  readonly value: unknown
  readonly origin: Origin
  /** Null: it has none. */
  readonly fallback: unknown
  readonly secret: boolean
  /** What the file may say; of a secret, what the variable stands for. */
  readonly schema: v.GenericSchema
  readonly words: string
}

const MASK = '***'

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

function backendRows({ config, origins, keyOrigins }: ResolvedConfig): ConfigRow[] {
  return config.backends.flatMap(({ name, ...entries }) =>
    Object.entries(entries).map(([entry, value]) => {
      const secret = entry === 'api_key'
      const schema = secret ? SECRET_TEXT : entrySchemaOf(entries.type, entry)
      return {
        key: `backends.${name}.${entry}`,
        value: secret ? MASK : value,
        origin: (secret ? keyOrigins[name] : undefined) ?? origins.backends,
        fallback: origins.backends.kind === 'default' ? value : null,
        secret,
        schema,
        words: v.getDescription(schema) ?? '',
      }
    }),
  )
}

const SECRET_TEXT = v.pipe(v.string(), v.description('Sent to the server as its API key.'))

function tuningRows({ config, tuningOrigin }: ResolvedConfig, defaults: Readonly<Tuning>): ConfigRow[] {
  return TUNING_PLACES.map(({ name, group, key, schema }) => {
    const given = config.tuning[name]
    return {
      key: `${group}.${key}`,
      value: given ?? defaults[name],
      origin: given === undefined ? { kind: 'default' } : tuningOrigin,
      fallback: defaults[name],
      secret: false,
      schema,
      words: v.getDescription(schema) ?? '',
    }
  })
}

/** The rows as `GET /config` has them. Nothing of it can be changed while the server runs. */
export async function configSettings(rows: readonly ConfigRow[]): Promise<SettingBody[]> {
  // Loaded when somebody asks.
  const { toJsonSchema } = await import('@valibot/to-json-schema')
  return rows.map(({ key, value, origin, fallback, secret, schema, words }) => {
    // What code checks has no place in a JSON Schema; the words stand in `summary`.
    const converted = toJsonSchema(schema, { ignoreActions: ['check', 'metadata', 'description'] })
    const { $schema: _dialect, ...rest } = converted
    return {
      key,
      value,
      origin,
      default: fallback,
      secret,
      live: false,
      locked: origin.kind === 'flag' || origin.kind === 'environment',
      schema: rest,
      summary: words,
    }
  })
}
