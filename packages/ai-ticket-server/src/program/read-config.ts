import { readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { parseEnv } from 'node:util'
import type { ResolvedConfig } from '../config/config.ts'
import { loadConfig, placesFor } from '../config/load-config.ts'
import type { ConfigFlags } from './command-line.ts'

/** The configuration of this process. Undefined: it is wrong, and what is wrong has been printed. */
export function readConfig(flags: ConfigFlags): ResolvedConfig | undefined {
  const written = readDotEnv()
  const { env } = process
  const dotEnv = new Set(Object.keys(written).filter((name) => env[name] === undefined))
  // OpenTelemetry's SDK looks there itself. Nothing else may change what Node does, in whose folder ever we are.
  for (const name of dotEnv) if (name.startsWith('OTEL_')) env[name] = written[name]
  const environment = { ...written, ...env }
  const places = placesFor(env.XDG_CONFIG_HOME || join(homedir(), '.config'))
  const loaded = loadConfig({ flags, environment, dotEnv }, places)
  if (loaded.ok) return loaded.value
  for (const { message } of loaded.problems) process.stderr.write(`${message}\n`)
  return undefined
}

/** What the file in the working folder sets; it may also be the folder of a Python environment. */
function readDotEnv(): NodeJS.Dict<string> {
  try {
    return parseEnv(readFileSync('.env', 'utf8'))
  } catch {
    return {}
  }
}
