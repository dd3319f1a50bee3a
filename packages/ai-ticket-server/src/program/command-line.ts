import { stripVTControlCharacters } from 'node:util'
import { type ArgDef, type ArgsDef, type CommandDef, renderUsage, runCommand } from 'citty'
import { suggestion } from '../config/closest-name.ts'
import { CONFIG_FLAGS } from '../config/config.ts'
import { defaultOf, SETTINGS, SOURCES, type Source } from '../config/settings.ts'
import { EXIT } from './exit-codes.ts'

/** A wrong command line: exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** A flag of the configuration in the help. `withDefault`: of a program whose default is that of the table. */
export const flagOf = (source: Source, { withDefault = false } = {}) =>
  ({
    type: 'string',
    ...(source.flagValue !== undefined && { valueHint: source.flagValue }),
    description: `${source.words} (${source.environment}${withDefault ? `, default ${defaultOf(source)}` : ''})`,
  }) as const

/** Flags of every command that reads the configuration; their texts are checked with it. */
export const CONFIG_ARGS = {
  'kobold-url': flagOf(SOURCES.backends),
  'log-level': flagOf(SETTINGS.logLevel),
  config: flagOf(SOURCES.file),
} as const satisfies ArgsDef

export const wantsHelp = (rawArgs: readonly string[]): boolean =>
  beforeDashes(rawArgs).some((arg) => arg === '--help' || arg === '-h')

export const wantsVersion = (rawArgs: readonly string[]): boolean =>
  beforeDashes(rawArgs).includes('--version')

const beforeDashes = (rawArgs: readonly string[]): readonly string[] => {
  const end = rawArgs.indexOf('--')
  return end === -1 ? rawArgs : rawArgs.slice(0, end)
}

/** citty silently takes any flag, and reads a text flag without its text as empty. This throws a `UsageError` instead. */
export function checkFlags(rawArgs: readonly string[], definitions: ArgsDef): void {
  const flags = Object.entries(definitions).filter(([, { type }]) => type !== 'positional')
  const names = flags.map(([name]) => `--${name}`)
  const given = beforeDashes(rawArgs)
  for (let index = 0; index < given.length; index++) {
    const arg = given[index] ?? ''
    if (!arg.startsWith('-') || arg === '-') continue
    const [flag = '', value] = arg.split(/=(.*)/s, 2)
    const definition = flags.find(([name, one]) => flag === `--${name}` || flag === `-${aliasOf(one)}`)?.[1]
    if (definition === undefined) {
      throw new UsageError(
        `${flag} is not a flag of this command.${suggestion(flag, names)} --help lists the flags.`,
      )
    }
    if (definition.type !== 'string' || value !== undefined) continue
    index++
    if (given[index] === undefined) throw new UsageError(`${flag} needs a value. --help says which.`)
  }
}

const aliasOf = (definition: ArgDef): unknown => ('alias' in definition ? definition.alias : undefined)

/** The flags of the configuration among a command's arguments, by their long form. */
export function configFlags(args: Readonly<Record<string, unknown>>): Record<string, string | undefined> {
  return Object.fromEntries(
    CONFIG_FLAGS.map((flag) => {
      const value = args[flag.slice(2)]
      return [flag, typeof value === 'string' ? value : undefined]
    }),
  )
}

const EXIT_CODES = `EXIT CODES

  ${EXIT.ok}    done
  ${EXIT.cannotListen}    the server cannot listen on the address or port
  ${EXIT.usage}    wrong command line
  ${EXIT.someFailed}    batch: some lines failed
  ${EXIT.badInput}   the event was refused because its input is wrong; batch: only such lines failed
  ${EXIT.noInput}   the input cannot be read
  ${EXIT.unavailable}   no backend answered as it should
  ${EXIT.internal}   a bug
  ${EXIT.cannotStore}   the ticket store or the output cannot be opened or written
  ${EXIT.temporary}   busy or out of time, or another run has the output: try again later
  ${EXIT.noPermission}   a backend refused the key
  ${EXIT.badConfiguration}   wrong configuration
  ${EXIT.interrupted}  interrupted (SIGINT)
  ${EXIT.terminated}  terminated (SIGTERM) a second time`

/** Help of a command: examples first, then what citty knows, then the exit codes. */
export async function renderHelp<Args extends ArgsDef>(
  command: CommandDef<Args>,
  examples: string,
  parentName?: string,
): Promise<string> {
  const parent: CommandDef<Args> = { meta: parentName === undefined ? {} : { name: parentName } }
  const usage = (await renderUsage(command, parent)).trim().replace(/ +$/gm, '')
  const text = `EXAMPLES\n\n  ${examples.trim()}\n\n${usage}\n\n${EXIT_CODES}\n`
  const plain = !process.stdout.isTTY || Boolean(process.env.NO_COLOR)
  return plain ? stripVTControlCharacters(text) : text
}

/** A command of `ai-ticket`, ready to be called. */
export interface CliCommand {
  // biome-ignore lint/suspicious/noExplicitAny: citty's own type for subcommands, whatever their arguments
  readonly definition: CommandDef<any>
  help(parentName: string): Promise<string>
  /** Gives the exit code. Throws a `UsageError`. */
  run(rawArgs: string[]): Promise<number>
}

/** Wraps what citty defines; the `run` of the definition returns the exit code. */
export function cliCommand<const Args extends ArgsDef>(
  definition: CommandDef<Args> & { readonly args: Args },
  examples: string,
): CliCommand {
  return {
    definition,
    help: (parentName) => renderHelp(definition, examples, parentName),
    async run(rawArgs) {
      checkFlags(rawArgs, definition.args)
      const { result } = await runCommand(definition, { rawArgs })
      return typeof result === 'number' ? result : EXIT.ok
    },
  }
}

const UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  '': 1000,
}

/** `90`, `90s`, `1.5m`, `2h`, `7d` or `500ms` in milliseconds; a bare number is seconds. Undefined for anything else. */
export function parseDurationMs(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d|)$/.exec(text.trim())
  const unit = UNITS[match?.[2] ?? '']
  if (match === null || unit === undefined) return undefined
  return Math.round(Number(match[1]) * unit)
}
