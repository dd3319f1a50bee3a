import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import { CONFIG_FLAGS } from '../config/config.ts'
import { defaultOf, SETTINGS, SOURCES, type Source } from '../config/settings.ts'
import { HOMEPAGE, VERSION } from '../version.ts'
import { EXIT } from './exit-codes.ts'

/** A wrong command line: exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** What a command was called with. */
interface Call<Options> {
  readonly options: Options
  readonly words: readonly string[]
  /** The flags of the configuration, by their long form. */
  readonly flags: ConfigFlags
}

export type ConfigFlags = Readonly<Record<string, string | undefined>>

/** Gives the exit code; undefined: the program goes on, and ends by itself. */
export type Run<Options> = (call: Call<Options>) => Promise<number | undefined> | number

/** A command of `ai-ticket`, in a file that is loaded only when it is called. */
export interface CommandModule {
  /** Adds its arguments, flags and examples, and what it does. */
  configure(command: Command): void
}

/** commander drops what an action returns, so it is kept here for `runProgram`, by the program. */
const exitCodes = new WeakMap<Command, number | undefined>()

/** Makes this the action of the command. */
export function runs<Options>(command: Command, run: Run<Options>): void {
  command.action(async () => {
    const options = command.opts()
    const flags = configFlags(options)
    exitCodes.set(rootOf(command), await run({ options: options as Options, words: command.args, flags }))
  })
}

const rootOf = (command: Command): Command => (command.parent ? rootOf(command.parent) : command)

function configFlags(options: Readonly<Record<string, unknown>>): ConfigFlags {
  return Object.fromEntries(
    CONFIG_FLAGS.map((flag) => {
      const value = options[new Option(flag).attributeName()]
      return [flag, typeof value === 'string' ? value : undefined]
    }),
  )
}

/** A program with what every one of ours has. `words`: its command line. */
export function createProgram(name: string, words: readonly string[]): Command {
  const program = new Command(name)
    .version(VERSION, '-V, --version', 'Show the version')
    .helpOption('-h, --help', 'Show this help')
    .option('--no-color', 'Show no colours, as with NO_COLOR')
    .showHelpAfterError('--help shows what there is.')
    .configureHelp({ styleTitle: (title) => `\x1b[1m${title}\x1b[22m` })
    .exitOverride()
  if (words.includes('--no-color')) {
    program.configureOutput({ getOutHasColors: () => false, getErrHasColors: () => false })
  }
  return program
}

/** Runs what the words ask for. Throws a `UsageError`; what commander refuses it has printed. */
export async function runProgram(program: Command, words: readonly string[]): Promise<number | undefined> {
  try {
    await program.parseAsync(words, { from: 'user' })
    return exitCodes.get(program)
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    return error.exitCode === 0 ? EXIT.ok : EXIT.usage
  }
}

/** What stands below the flags in the help of a command. */
export function addExamples(command: Command, examples: string): Command {
  return command.addHelpText('after', `\nExamples:\n  ${examples.trim()}\n`)
}

/** The end of the help of a program. */
export const addExitCodes = (program: Command): Command =>
  program.addHelpText('after', EXIT_CODES).addHelpText('afterAll', `\nDocumentation: ${HOMEPAGE}`)

const EXIT_CODES = `
Exit codes:
  ${EXIT.ok}    done
  ${EXIT.cannotListen}    the server cannot listen on the address or port
  ${EXIT.usage}    wrong command line
  ${EXIT.someFailed}    batch: some lines failed; tickets replay: some tickets were refused
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

/** A flag of the configuration in the help. `withDefault`: of a program whose default is that of the table. */
function configFlag({ flag, flagValue, words, environment, ...source }: Source, withDefault = false): Option {
  const from = withDefault
    ? `${environment}, default ${defaultOf({ words, environment, ...source })}`
    : environment
  return new Option(`${flag} <${flagValue}>`, `${words} (${from})`)
}

/** A flag that may be given several times is read like a list with commas. */
const collect = (text: string, before: string | undefined): string =>
  before === undefined ? text : `${before},${text}`

/** Flags of every command that reads the configuration; their texts are checked with it. */
export const addConfigFlags = (command: Command): Command =>
  command
    .addOption(configFlag(SOURCES.backends))
    .addOption(configFlag(SOURCES.anyBackends).argParser(collect))
    .addOption(configFlag(SETTINGS.logLevel))
    .addOption(configFlag(SOURCES.file))

/** The same for a command that asks a server where there is one. */
export const addAskFlags = (command: Command): Command =>
  addConfigFlags(command.addOption(configFlag(SETTINGS.server)))

/** The same for a command that asks a server, and no backend. */
export const addServerFlags = (command: Command): Command =>
  command.addOption(configFlag(SETTINGS.server)).addOption(configFlag(SOURCES.file))

/** Where the server listens. */
export const addListenFlags = (command: Command): Command =>
  command.addOption(configFlag(SETTINGS.port, true)).addOption(configFlag(SETTINGS.host, true))

/** Reads the text of a flag; commander names the flag, and what it must be. */
export function readCount(text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('It must be a whole number of at least 1.')
}

/** As many connections as the server takes. */
const MOST_AT_ONCE = 10_000

/** The same for how much is done at once. */
export function readConcurrency(text: string): number {
  if (/^[1-9]\d{0,4}$/.test(text) && Number(text) <= MOST_AT_ONCE) return Number(text)
  throw new InvalidArgumentError(`It must be a whole number from 1 to ${MOST_AT_ONCE}.`)
}

/** The same for a time, in milliseconds. */
export function readDuration(text: string): number {
  const milliseconds = parseDurationMs(text)
  if (milliseconds !== undefined) return milliseconds
  throw new InvalidArgumentError('It must be a time like 500ms, 90s, 10m, 12h or 7d.')
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
