import { mkdir, open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import type { MadeChangeBody, SettingBody, SettingsChanged, SettingsChanger } from '@ai-ticket/control'
import { type Clock, type ConsolaLogger, DEFAULTS, type FailureCode, parseLogLevel } from '@ai-ticket/core'
import type { DeskParts } from '../compose/compose-dispatcher.ts'
import type { TicketParts } from '../compose/compose-tickets.ts'
import { type ConfigSources, type ResolvedConfig, resolveConfig, servingProblems } from '../config/config.ts'
import { BACKENDS, type ConsoleFile, type ConsoleSettings, isWhole } from '../config/console-settings.ts'
import { consolePath, loadConsoleFile } from '../config/load-config.ts'
import { type ConfigRow, configRows, configSettings, MASK } from '../config/show-config.ts'

interface ConfigDeskOptions {
  /** What the server was started with. */
  readonly resolved: ResolvedConfig
  readonly logger: Pick<ConsolaLogger, 'setLevel'>
  readonly desk: Pick<DeskParts, 'prepare'>
  readonly tickets: Pick<TicketParts, 'change'>
  readonly clock: Clock
}

/** The settings of a running server: shows them, and changes them as `PATCH /config` says. */
export interface ConfigDesk {
  readonly settings: () => Promise<readonly SettingBody[]>
  readonly changer: SettingsChanger
}

/** Of the history so many changes are kept. */
const MOST_CHANGES = 500

export function createConfigDesk(options: ConfigDeskOptions): ConfigDesk {
  const { resolved: started } = options
  const path = keptAt(started)
  let current = started
  let kept: ConsoleFile = readKept(path)

  async function change(
    wanted: Parameters<SettingsChanger['change']>[0],
    file: string,
  ): Promise<SettingsChanged> {
    const refusal = whyNot(wanted, { current, kept })
    if (refusal) return refusal
    const settings = settingsAfter(kept.settings, wanted)
    const draft = withConsole(current, { name: 'this change', settings })
    if (!draft.ok) return refuse('invalid_input_format', draft.problems)
    const unwise = servingProblems(draft.value)
    if (unwise.length > 0) return refuse('conflict', unwise)
    const lost = Object.keys(wanted.set).find((key) => !isThere(draft.value, key, wanted.set[key]))
    if (lost !== undefined) return refuse('invalid_input_format', [{ message: `${lost}: ${NO_BACKEND}` }])
    const after = withConsole(current, { name: file, settings })
    if (!after.ok) return refuse('invalid_input_format', after.problems)
    const at = new Date(options.clock.wallTime()).toISOString()
    const made = changesMade({ at, by: wanted.by, before: current, after: after.value }, [
      ...Object.keys(wanted.set).filter((key) => !isDeepStrictEqual(kept.settings[key], settings[key])),
      ...wanted.unset,
    ])
    if (made.length === 0) return { ok: true, changes: [] }
    const prepared = await options.desk.prepare(after.value.config)
    const next = { settings, changes: [...kept.changes, ...made.map(withoutLive)].slice(-MOST_CHANGES) }
    const problem = await writeWhole(file, `${JSON.stringify(next, null, 2)}\n`)
    if (problem !== undefined) {
      await prepared.discard()
      return refuse('configuration_error', [
        { message: `${file} cannot be written (${problem}). Nothing has changed.` },
      ])
    }
    kept = next
    current = after.value
    options.logger.setLevel(parseLogLevel(current.config.logLevel) ?? 'info')
    prepared.apply()
    options.tickets.change(current.config)
    return { ok: true, changes: made }
  }

  return {
    settings: async () => withRunning(await configSettings(rowsOf(current)), rowsOf(started)),
    changer: {
      changes: () => kept.changes.toReversed(),
      change: async (wanted) =>
        path === undefined ? refuse('conflict', [{ message: NOWHERE }]) : change(wanted, path),
    },
  }
}

const rowsOf = (resolved: ResolvedConfig) => configRows(resolved, DEFAULTS)

/** Undefined: nothing that this server writes is there after a restart. */
const keptAt = ({ config, origins }: ResolvedConfig): string | undefined =>
  config.databaseUrl !== '' && origins.dataDir.kind === 'default' ? undefined : consolePath(config)

const NOWHERE =
  'This server has no data_dir of its own to keep changes in. Set AI_TICKET_DATA_DIR to a folder that survives a restart.'

const NO_BACKEND = 'there is no such backend. Set the whole backend first.'

const EMPTY: ConsoleFile = { settings: {}, changes: [] }

/** At the start it was read already, and was right. */
function readKept(path: string | undefined): ConsoleFile {
  const read = path === undefined ? undefined : loadConsoleFile(path)
  return read?.ok ? read.value : EMPTY
}

const withConsole = (current: ResolvedConfig, layer: NonNullable<ConfigSources['console']>) =>
  resolveConfig({ ...current.sources, console: layer })

const refuse = (
  code: FailureCode,
  problems: readonly { readonly message: string }[],
): SettingsChanged & { readonly ok: false } => ({
  ok: false,
  failure: { code, details: problems.map(({ message }) => message).join(' ') },
})

type Wanted = Pick<Parameters<SettingsChanger['change']>[0], 'set' | 'unset'>

/** A flag or a variable has the last word; and only what was set here can be taken back. */
function whyNot(
  { set, unset }: Wanted,
  { current, kept }: { readonly current: ResolvedConfig; readonly kept: ConsoleFile },
): SettingsChanged | undefined {
  const rows = new Map(rowsOf(current).map((row) => [row.key, row]))
  const { backends } = current.origins
  for (const key of Object.keys(set)) {
    const origin = rows.get(key)?.origin ?? (key.startsWith(BACKENDS) ? backends : undefined)
    if (origin?.kind !== 'flag' && origin?.kind !== 'environment') continue
    // Of a key that the file names, the problem is another one.
    if (rows.get(key)?.secret && key.startsWith(BACKENDS)) continue
    const message = `${key} is set by ${origin.name}, which stands over what is set here. Change it there, and restart.`
    return refuse('conflict', [{ message }])
  }
  const foreign = unset.find((key) => !Object.hasOwn(kept.settings, key))
  if (foreign === undefined) return undefined
  const message = `${JSON.stringify(foreign.slice(0, 100))} was not set here, so it cannot be unset.`
  return refuse('invalid_input_format', [{ message }])
}

function settingsAfter(before: ConsoleSettings, { set, unset }: Wanted): ConsoleSettings {
  const left = Object.entries(before).filter(([key]) => !unset.includes(key))
  return { ...Object.fromEntries(left), ...set }
}

/** An entry of a backend that is not there would be kept in vain. */
const isThere = (resolved: ResolvedConfig, key: string, value: unknown): boolean =>
  !key.startsWith(BACKENDS) || isWhole(value) || rowsOf(resolved).some((row) => row.key === key)

interface Change {
  readonly at: string
  readonly by: string
  readonly before: ResolvedConfig
  readonly after: ResolvedConfig
}

function changesMade({ at, by, before, after }: Change, keys: readonly string[]): MadeChangeBody[] {
  const [was, is] = [settingsIn(before), settingsIn(after)]
  return keys.map((key) => {
    const [one, other] = [was(key), is(key)]
    const live = (one?.live ?? true) && (other?.live ?? true)
    return { at, by, key, before: one?.value ?? null, after: other?.value ?? null, live }
  })
}

/** A setting or a whole backend by its key, secrets masked. */
function settingsIn(resolved: ResolvedConfig) {
  const rows = new Map(rowsOf(resolved).map((row) => [row.key, row]))
  return (key: string): Pick<ConfigRow, 'value' | 'live'> | undefined => {
    const backend = resolved.config.backends.find(({ name }) => BACKENDS + name === key)
    if (backend === undefined) return rows.get(key)
    const { name: _name, ...entries } = backend
    const value = 'api_key' in entries ? { ...entries, api_key: MASK } : entries
    return { value, live: backend.type !== 'llama' }
  }
}

const withoutLive = ({ live: _live, ...change }: MadeChangeBody) => change

/** Says what a setting still is that takes effect after a restart. */
function withRunning(settings: readonly SettingBody[], started: readonly ConfigRow[]): SettingBody[] {
  const running = new Map(started.map(({ key, value }) => [key, value ?? null]))
  return settings.map((setting) => {
    const value = running.get(setting.key) ?? null
    return setting.live || isDeepStrictEqual(value, setting.value) ? setting : { ...setting, running: value }
  })
}

/** Whole or not at all, and for nobody else to read. Undefined: it is written; else why not. */
async function writeWhole(path: string, text: string): Promise<string | undefined> {
  const temporary = `${path}.tmp`
  try {
    await mkdir(dirname(path), { recursive: true })
    // One that a crash has left may have other rights.
    await rm(temporary, { force: true })
    const file = await open(temporary, 'wx', 0o600)
    try {
      await file.writeFile(text)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
    return undefined
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : String(error)
  }
}
