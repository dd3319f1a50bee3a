import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type ConfigResult, type ConfigSources, resolveConfig, takeQuotesAway } from './config.ts'
import type { ConfigProblem } from './config-problems.ts'
import { type ConsoleFile, readConsoleFile } from './console-settings.ts'
import { SOURCES } from './settings.ts'

/**
 * Reads the configuration file, the one that is named or the first that is there, and what was set while the server ran,
 * and resolves everything.
 */
export function loadConfig(
  sources: Omit<ConfigSources, 'file' | 'console'>,
  places: readonly string[] = [],
): ConfigResult {
  const fromFlag = sources.flags[SOURCES.file.flag]
  const { environment: bare } = takeQuotesAway(sources.environment, [SOURCES.file.environment])
  const fromVariable = bare[SOURCES.file.environment] || undefined
  const name = fromFlag ?? fromVariable ?? places.find((place) => existsSync(place))
  if (name === undefined) return withConsole(sources)
  const isFound = fromFlag === undefined && fromVariable === undefined
  const key = isFound ? name : fromFlag === undefined ? SOURCES.file.environment : SOURCES.file.flag
  const what = isFound ? `The configuration file ${name}` : `${key} names the file ${name}, which`
  const refuse = (words: string): ConfigResult => ({
    ok: false,
    problems: [{ key, message: `${what} ${words}` }],
  })
  try {
    const text = decodeUtf8(readFileSync(name))
    if (text === undefined) return refuse('is not valid UTF-8. Save it as UTF-8.')
    return withConsole({ ...sources, file: { name, text } })
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : 'unknown reason'
    return refuse(
      `cannot be read (${reason}). Correct ${isFound ? 'its rights' : 'the path, or leave it out'}.`,
    )
  }
}

/** With what `data_dir` holds beside the tickets, where it is a folder of this server's own. */
function withConsole(sources: ConfigSources): ConfigResult {
  const resolved = resolveConfig(sources)
  const name = resolved.ok ? consolePath(resolved.value.config) : undefined
  if (name === undefined) return resolved
  const kept = loadConsoleFile(name)
  if (kept === undefined) return resolved
  if (!kept.ok) return kept
  return resolveConfig({ ...sources, console: { name, settings: kept.value.settings } })
}

/** Where `PATCH /config` keeps what it sets; undefined: nothing is kept on this disk. */
export function consolePath({ dataDir }: { readonly dataDir: string }): string | undefined {
  return dataDir === ':memory:' ? undefined : join(dataDir, 'console.json')
}

/** Undefined: it is not there. */
export function loadConsoleFile(
  name: string,
):
  | { readonly ok: true; readonly value: ConsoleFile }
  | { readonly ok: false; readonly problems: ConfigProblem[] }
  | undefined {
  const refuse = (words: string) => ({
    ok: false as const,
    problems: [{ key: name, message: `${name}, which holds what was set while the server ran, ${words}` }],
  })
  try {
    const text = decodeUtf8(readFileSync(name))
    return text === undefined ? refuse('is not valid UTF-8. Save it as UTF-8.') : readConsoleFile(name, text)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown reason'
    return code === 'ENOENT' || code === 'ENOTDIR'
      ? undefined
      : refuse(`cannot be read (${code}). Correct its rights.`)
  }
}

/**
 * Where a configuration file is looked for, unless one is named: the working folder, then the user's own, where the user
 * has one.
 */
export const placesFor = (configHome: string | undefined): readonly string[] => [
  ...['ai-ticket.json', 'ai-ticket.jsonc'],
  ...(configHome === undefined
    ? []
    : ['config.json', 'config.jsonc'].map((name) => join(configHome, 'ai-ticket', name))),
]

/** The text of a file or a pipe, without a byte order mark. Undefined: the bytes are not valid UTF-8. */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return undefined
  }
}
