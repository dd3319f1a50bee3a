import { loadConfig, type ResolvedConfig } from '../config/config.ts'
import type { ConfigFlags } from './command-line.ts'

/** The configuration of this process. Undefined: it is wrong, and what is wrong has been printed. */
export function readConfig(flags: ConfigFlags): ResolvedConfig | undefined {
  const loaded = loadConfig(flags, process.env)
  if (loaded.ok) return loaded.value
  for (const { message } of loaded.problems) process.stderr.write(`${message}\n`)
  return undefined
}
