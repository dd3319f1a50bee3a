import { readFileSync } from 'node:fs'
import { CONFIG_FLAG, CONFIG_VARIABLE, type ConfigResult, resolveConfig } from './config.ts'

type Texts = Readonly<Record<string, string | undefined>>

/** Reads the configuration file, where one is named, and resolves everything. */
export function loadConfig(flags: Texts, environment: Texts): ConfigResult {
  const fromFlag = flags[CONFIG_FLAG]
  const name = fromFlag ?? (environment[CONFIG_VARIABLE] || undefined)
  if (name === undefined) return resolveConfig({ flags, environment })
  try {
    return resolveConfig({ flags, environment, file: { name, text: readFileSync(name, 'utf8') } })
  } catch (error) {
    const key = fromFlag === undefined ? CONFIG_VARIABLE : CONFIG_FLAG
    const reason = error instanceof Error && 'code' in error ? String(error.code) : 'unknown reason'
    const message = `${key} names the file ${name}, which cannot be read (${reason}). Correct the path, or leave it out.`
    return { ok: false, problems: [{ key, message }] }
  }
}
