import module from 'node:module'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { nodeProblem } from '@ai-ticket/core/node-version'
import { UsageError } from './command-line.ts'
import { EXIT } from './exit-codes.ts'

/**
 * Runs a program on the command line and exits with the code that it gives. With undefined the program goes on, and
 * exits by itself.
 */
export function runAsMain(main: (rawArgs: string[]) => Promise<number | undefined>): void {
  const isLost = watchOutput()
  const problem = nodeProblem()
  if (problem !== undefined) {
    process.stderr.write(`${problem}\n`)
    exitWhenWritten(EXIT.badConfiguration)
    return
  }
  // What is loaded from here on starts faster the second time. Node keeps it in the folder for temporary files, and
  // goes without where it cannot write there; NODE_DISABLE_COMPILE_CACHE=1 switches it off.
  module.enableCompileCache()
  main(process.argv.slice(2)).then(
    (code) => code !== undefined && exitWhenWritten(code, () => (isLost() ? EXIT.cannotStore : code)),
    (error: unknown) => {
      const expected = error instanceof UsageError
      process.stderr.write(`${expected ? error.message : describe(error)}\n`)
      exitWhenWritten(expected ? EXIT.usage : EXIT.internal)
    },
  )
}

/**
 * Says once that stdout cannot be written; a server goes on without its log. Not where `… | head` has closed the pipe:
 * nobody misses anything there. Without a listener Node would end the program with a stack trace. Returns whether output
 * was lost.
 */
function watchOutput(): () => boolean {
  let isLost = false
  process.stderr.on('error', () => {})
  process.stdout.on('error', ({ code }: NodeJS.ErrnoException) => {
    if (isLost || code === 'EPIPE') return
    isLost = true
    process.stderr.write(`stdout cannot be written (${code}). Make room, or send it to another place.\n`)
  })
  return () => isLost
}

const describe = (error: unknown): string => String(error instanceof Error ? error.stack : error)

/** So long, in milliseconds, the end of the process waits for somebody to read what it wrote. */
const LAST_LINES_MS = 1000

/**
 * Ends the process once what was written is out: writes to pipes are asynchronous, and `process.exit` drops them.
 * `lastCode`: asked then for the exit code, because the last write may have failed.
 */
export function exitWhenWritten(code: number, lastCode: () => number = () => code): void {
  process.exitCode = code
  const exit = () => process.exit(lastCode())
  // A pipe that nobody reads would hold it forever.
  setTimeout(exit, LAST_LINES_MS)
  void Promise.all([process.stdout, process.stderr].map(isWritten)).then(exit)
}

/** Lines that waited for the stream are written when it is empty, so once more may be needed. */
async function isWritten(stream: NodeJS.WriteStream): Promise<void> {
  do await new Promise<void>((resolve) => stream.write('', () => resolve()))
  while (stream.writableLength > 0)
}

/** SIGHUP: the terminal has gone, or a supervisor means the end. */
export const EXIT_OF_SIGNAL = {
  SIGHUP: EXIT.hungUp,
  SIGINT: EXIT.interrupted,
  SIGTERM: EXIT.terminated,
} as const

export type EndSignal = keyof typeof EXIT_OF_SIGNAL

/** So long, in milliseconds, a second signal waits for backends that are told to stop. */
const LAST_ABORTS_MS = 300

export interface Ending {
  /** A signal has come. */
  readonly ending: boolean
  /** A second one has: the process ends with this code, whatever else ends it. */
  readonly exitCode: number | undefined
}

/**
 * The first signal calls back. The second ends the process: at once, or with `stopNow` as soon as that has settled, which
 * has 300 ms. A third one does not wait.
 */
export function endOnSignals(
  onFirst: (signal: EndSignal) => unknown,
  stopNow?: () => Promise<unknown>,
): Ending {
  const state: { ending: boolean; exitCode: number | undefined } = { ending: false, exitCode: undefined }
  const onSignal = (signal: EndSignal) => {
    if (!state.ending) {
      state.ending = true
      onFirst(signal)
      return
    }
    const exit = () => process.exit(EXIT_OF_SIGNAL[signal])
    if (stopNow === undefined || state.exitCode !== undefined) exit()
    state.exitCode = EXIT_OF_SIGNAL[signal]
    setTimeout(exit, LAST_ABORTS_MS)
    stopNow?.().then(exit, exit)
  }
  for (const signal of Object.keys(EXIT_OF_SIGNAL) as EndSignal[]) process.on(signal, () => onSignal(signal))
  return state
}

/**
 * Node opens its debugger at this signal, which lets every user of the machine run what they like in here. With
 * `--inspect` a developer still has one.
 */
export const keepDebuggerShut = (): void => void process.on('SIGUSR1', () => {})

/** Between two looks, after the start, whether nothing runs, in milliseconds. The first comes this long after the start. */
const FIRST_LOOKS_MS = 2_000

/** So few events have made nothing faster that would have to be made again. */
const FEW_EVENTS = 100

/** A server without a new event for this long, and for up to twice as long, gives back memory, in milliseconds. */
const REST_MS = 300_000

/** What a server has to do. */
export interface Use {
  /** Events that have ended since the start. */
  readonly events: number
  /** Whether one runs or waits. */
  readonly isBusy: boolean
}

/** V8 collects of itself no sooner than 8 s after a process began. In the midst of that, the setting would end the process. */
const MAY_STILL_SET_SECONDS = 4

/**
 * Keeps V8 from its own collection after a few seconds without work, which throws away the code that it has made faster: the
 * events after such a pause would cost up to four times as much, for some seconds. To be called at the start.
 */
export function keepCodeWithoutWork(processSeconds = process.uptime(), setFlag = setFlagsFromString): void {
  if (processSeconds < MAY_STILL_SET_SECONDS) setFlag('--memory-reducer-gc-count=0')
}

/**
 * Gives back what only the start has needed: V8 keeps room for garbage that will not come again, 18 MB of 111. This throws away
 * the faster code, too, so a server that had more than a few events by then is left as it is until it is at rest.
 */
export function giveBackMemoryAtRest(look: () => Use, giveBack: () => void = giveBackMemory): void {
  const firstLooks = setInterval(() => {
    const { events, isBusy } = look()
    if (isBusy && events < FEW_EVENTS) return
    clearInterval(firstLooks)
    if (events < FEW_EVENTS) giveBack()
    giveBackAfterEachUse(look, giveBack)
  }, FIRST_LOOKS_MS)
  firstLooks.unref()
}

function giveBackAfterEachUse(look: () => Use, giveBack: () => void): void {
  let seen = look().events
  let isUsed = seen >= FEW_EVENTS
  setInterval(() => {
    const { events, isBusy } = look()
    const isAtRest = events === seen && !isBusy
    if (isAtRest && isUsed) giveBack()
    isUsed = !isAtRest
    seen = events
  }, REST_MS).unref()
}

/** V8 shrinks its young generation in this collection alone, and Node has no other way to ask for one. */
export function giveBackMemory(): void {
  setFlagsFromString('--expose-gc')
  const collect: unknown = runInNewContext('gc')
  setFlagsFromString('--no-expose-gc')
  if (typeof collect === 'function') collect({ type: 'major', execution: 'sync', flavor: 'last-resort' })
}

/** Node 22 warns at every start that `node:sqlite` is experimental; we use nothing else that it warns about. */
export function hideSqliteWarning(): void {
  const emitWarning = process.emitWarning.bind(process) as (...args: unknown[]) => void
  process.emitWarning = (...args: unknown[]) => {
    if (!/^SQLite is an experimental feature/.test(String(args[0]))) emitWarning(...args)
  }
}
