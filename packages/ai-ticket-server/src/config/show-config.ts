import type { Tuning } from '@ai-ticket/core'
import type { ApiKey } from '@ai-ticket/http-server'
import type { ResolvedConfig } from './config.ts'
import { describeOrigin, type Origin } from './config-problems.ts'
import { settingList } from './settings.ts'
import { TUNING_PLACES } from './tuning-schema.ts'

interface ConfigRow {
  readonly key: string
  readonly value: unknown
  readonly origin: string
}

const MASK = '***'

/** Every value of the configuration under its name in the file, and where it came from. Secrets are masked. */
export function configRows(resolved: ResolvedConfig, defaults: Readonly<Tuning>): ConfigRow[] {
  return [...settingRows(resolved), ...backendRows(resolved), ...tuningRows(resolved, defaults)]
}

const row = (key: string, value: unknown, origin: Origin): ConfigRow => ({
  key,
  value,
  origin: describeOrigin(origin),
})

function settingRows({ config, origins }: ResolvedConfig): ConfigRow[] {
  return settingList.map(([name, { key, secret }]) =>
    row(key, secret ? mask(config[name]) : config[name], origins[name]),
  )
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
  return config.backends.flatMap(({ name, api_key: apiKey, ...rest }) => [
    ...Object.entries(rest).map(([key, value]) => row(`backends.${name}.${key}`, value, origins.backends)),
    ...(apiKey === undefined
      ? []
      : [row(`backends.${name}.api_key`, MASK, keyOrigins[name] ?? origins.backends)]),
  ])
}

function tuningRows({ config, tuningOrigin }: ResolvedConfig, defaults: Readonly<Tuning>): ConfigRow[] {
  return (Object.keys(TUNING_PLACES) as (keyof Tuning)[]).map((name) => {
    const given = config.tuning[name]
    const origin: Origin = given === undefined ? { kind: 'default' } : tuningOrigin
    return row(`${TUNING_PLACES[name].group}.${TUNING_PLACES[name].key}`, given ?? defaults[name], origin)
  })
}
