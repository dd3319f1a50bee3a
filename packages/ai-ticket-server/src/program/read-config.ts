import { readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { parseEnv } from 'node:util'
import type { ResolvedConfig } from '../config/config.ts'
import { decodeUtf8, loadConfig, placesFor } from '../config/load-config.ts'
import type { ConfigFlags } from './command-line.ts'

/** The configuration of this process. Undefined: it is wrong, and what is wrong has been printed. */
export function readConfig(flags: ConfigFlags): ResolvedConfig | undefined {
  const written = readDotEnv()
  if (typeof written === 'string') {
    process.stderr.write(`${written}\n`)
    return undefined
  }
  const { env } = process
  const dotEnv = new Set(Object.keys(written).filter((name) => env[name] === undefined))
  // OpenTelemetry's SDK looks there itself. Nothing else may change what Node does, in whose folder ever we are.
  for (const name of dotEnv) if (name.startsWith('OTEL_')) env[name] = written[name]
  const environment = { ...written, ...env }
  const loaded = loadConfig({ flags, environment, dotEnv }, placesFor(env.XDG_CONFIG_HOME || configHome()))
  if (loaded.ok) return loaded.value
  for (const { message } of loaded.problems) process.stderr.write(`${message}\n`)
  return undefined
}

/** Undefined: this user has none, as the numeric user of a container that no /etc/passwd knows. */
function configHome(): string | undefined {
  try {
    return join(homedir(), '.config')
  } catch {
    return undefined
  }
}

/** It may be absent, or the folder of a Python environment. */
const NO_DOT_ENV: readonly unknown[] = ['ENOENT', 'EISDIR']

/** What the file in the working folder sets; a text says why it cannot be read: what it sets must not be lost. */
function readDotEnv(): NodeJS.Dict<string> | string {
  try {
    const text = decodeUtf8(readFileSync('.env'))
    return text === undefined
      ? 'The file .env in this folder is not valid UTF-8. Save it as UTF-8.'
      : parseEnv(text)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (NO_DOT_ENV.includes(code)) return {}
    return `The file .env in this folder cannot be read (${code ?? 'unknown reason'}). Correct its rights, or call the program in another folder.`
  }
}
