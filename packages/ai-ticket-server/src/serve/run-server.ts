import {
  type Dispatcher,
  type Logger,
  type Observer,
  type OutcomeListener,
  systemClock,
} from '@ai-ticket/core'
import { anthropicDoor, koboldDoor, responsesDoor } from '@ai-ticket/doors'
import { createMetrics, createServer, type Metrics } from '@ai-ticket/http-server'
import { StoreUnavailable, type TicketDesk } from '@ai-ticket/tickets'
import { composeDesk, composeLogger } from '../compose/compose-dispatcher.ts'
import { composeTickets, type TicketParts, type TicketSurroundings } from '../compose/compose-tickets.ts'
import { isNotInstalled, sayProblem } from '../compose/open-backend.ts'
import { startTracing } from '../compose/start-tracing.ts'
import { parseRateLimit } from '../config/api-keys.ts'
import type { Config, ResolvedConfig } from '../config/config.ts'
import { EXIT } from '../program/exit-codes.ts'
import {
  endOnSignals,
  exitWhenWritten,
  giveBackMemoryAtRest,
  keepCodeWithoutWork,
  keepDebuggerShut,
} from '../program/process.ts'
import { VERSION } from '../version.ts'
import { announceBackends } from './announce-backends.ts'
import { createConfigDesk } from './change-config.ts'

/** Listens until a signal comes, and ends the process. */
export async function runServer(resolved: ResolvedConfig): Promise<void> {
  const { config, warnings, notes } = resolved
  keepDebuggerShut()
  keepCodeWithoutWork()
  const logger = composeLogger(config, process.stdout)
  endOnBugs(logger)
  for (const warning of warnings) logger.warn(warning)
  for (const note of notes) logger.info(note)
  const stopTracing = await startTracing(process.env, logger)
  const metrics = config.metrics ? await createMetrics({ version: VERSION }) : undefined
  const tickets = await openTickets(config, { logger, metrics })
  if (tickets === undefined) return exitWhenWritten(EXIT.cannotStore)
  const { watchers, countEvents } = watchersOf(tickets, metrics)
  const parts = await composeDesk(config, { logger, watchers }).catch(sayProblem)
  if (parts === undefined) {
    await tickets.close()
    return exitWhenWritten(EXIT.badConfiguration)
  }
  const { dispatcher } = parts
  const server = openServer(config, { dispatcher, logger, metrics, history: tickets.history })
  const settings = createConfigDesk({ resolved, logger, desk: parts, tickets, clock: systemClock })
  const desk = tickets.serve(server, dispatcher, settings)
  const hasConsole = await addConsole(server, config, logger)
  const signals = endOnSignals(
    async (signal) => {
      await shutDown({ signal, server, dispatcher, desk, tickets, logger, drainMs: config.drainMs })
      await stopTracing()
      exitWhenWritten(signals.exitCode ?? EXIT.ok)
    },
    // Without a drain: what runs is stopped at its backend.
    () => dispatcher.close(),
  )
  try {
    // Fastify logs one such line for each address of the host.
    const listenTextResolver = (address: string) => `Listening on ${address}`
    await server.listen({ host: config.host, port: config.port, listenTextResolver })
  } catch (error) {
    // A signal came first: a server that is closed does not listen.
    if (signals.ending) return
    process.stderr.write(`${listenProblem(error, config, process.platform)}\n`)
    await dispatcher.close()
    await tickets.close()
    return exitWhenWritten(EXIT.cannotListen)
  }
  if (signals.ending) return
  logger.info(whatIsKept(config, tickets.durability), {
    history: config.history,
    keep_days: config.keepDays,
  })
  if (hasConsole) logger.info(`Console: ${consoleAddress(server, config)}`)
  tickets.sendCallbacks()
  await desk.start()
  // A signal while the desk started: the dispatcher may be closed.
  if (signals.ending) return
  const { backends } = await dispatcher.health()
  if (!signals.ending) announceBackends(config, backends, logger)
  giveBackMemoryAtRest(() => ({ events: countEvents(), isBusy: isBusy(dispatcher) }))
}

function endOnBugs(logger: Logger): void {
  process.on('uncaughtException', (error) => {
    logger.error('The server ends because of a bug.', {
      error: error instanceof Error ? error.stack : String(error),
    })
    exitWhenWritten(EXIT.internal)
  })
}

/** What hears of each event, and counts them. */
function watchersOf(tickets: TicketParts, metrics: Metrics | undefined) {
  let events = 0
  const onOutcome: OutcomeListener = (outcome, about) => {
    events += 1
    tickets.onOutcome(outcome, about)
  }
  return {
    watchers: { observer: tellBoth(metrics?.observer, tickets.observer), onOutcome },
    countEvents: () => events,
  }
}

/** The dispatcher has one observer. */
function tellBoth(one: Observer | undefined, other: Required<Observer>): Required<Observer> {
  if (one === undefined) return other
  return {
    eventStarted() {
      one.eventStarted?.()
      other.eventStarted()
    },
    attemptEnded(attempt) {
      one.attemptEnded?.(attempt)
      other.attemptEnded(attempt)
    },
    abandonedCallStopped(call) {
      one.abandonedCallStopped?.(call)
      other.abandonedCallStopped(call)
    },
    eventEnded(outcome, timing) {
      one.eventEnded?.(outcome, timing)
      other.eventEnded(outcome, timing)
    },
  }
}

function isBusy(dispatcher: Dispatcher): boolean {
  const { backends, line } = dispatcher.report()
  return line.waiting > 0 || backends.some(({ in_flight }) => in_flight > 0)
}

interface ServerParts {
  readonly dispatcher: Dispatcher
  readonly logger: Logger
  readonly metrics: Metrics | undefined
  readonly history: TicketParts['history']
}

function openServer(config: Config, { dispatcher, logger, metrics, history }: ServerParts) {
  const server = createServer({
    dispatcher,
    logger,
    apiKeys: config.apiKeys,
    allowedHosts: config.allowedHosts,
    corsOrigins: config.corsOrigins,
    rateLimit: parseRateLimit(config.rateLimit),
    priorities: config.priorities,
    bodyLimitBytes: config.bodyLimitBytes,
    bodyBudgetBytes: config.bodyBudgetBytes,
    ...(metrics && { metrics }),
    version: VERSION,
  })
  server.register(koboldDoor)
  server.register(responsesDoor, {
    keepsHistory: () => history() === 'full',
    bodyLimitBytes: config.bodyLimitBytes,
  })
  server.register(anthropicDoor)
  return server
}

/**
 * Loaded only if it is wanted. Where the package is not installed there is no console, and everything else is as before;
 * nor does a theme that cannot be read keep the desk closed.
 */
async function addConsole(
  server: ReturnType<typeof createServer>,
  { console, consoleLabel: label, consoleTheme: theme, consoleTokens: tokens }: Config,
  logger: Logger,
): Promise<boolean> {
  if (!console) return false
  try {
    const { createConsole } = await import('@ai-ticket/console')
    server.register(createConsole({ label, tokens, ...(theme !== '' && { theme }) }))
    return true
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    const advice = 'Correct AI_TICKET_CONSOLE_THEME or AI_TICKET_CONSOLE_TOKENS.'
    if (!isNotInstalled(error)) logger.error(`There is no console: ${reason.replace(/\.$/, '')}. ${advice}`)
    return false
  }
}

/** An address that a browser on this machine can open: a listener on every address has none of its own. */
function consoleAddress(server: ReturnType<typeof createServer>, { host, port }: Config): string {
  const address = server.server.address()
  const listening = typeof address === 'object' ? (address?.port ?? port) : port
  const name = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host
  return `http://${name.includes(':') ? `[${name}]` : name}:${listening}/console/`
}

/** Undefined: it cannot be opened, and the operator knows why. */
async function openTickets(
  config: Config,
  surroundings: TicketSurroundings,
): Promise<TicketParts | undefined> {
  try {
    return await composeTickets(config, surroundings)
  } catch (error) {
    if (!(error instanceof StoreUnavailable)) throw error
    process.stderr.write(`${error.message}\n`)
    return undefined
  }
}

/** Where prompts and answers are kept, for how long, and how to switch that off. */
export function whatIsKept(
  { history, keepDays, keepFailedDays }: Pick<Config, 'history' | 'keepDays' | 'keepFailedDays'>,
  durability: string,
): string {
  const failed = keepFailedDays === 0 ? 'forever' : `for ${keepFailedDays} days`
  const time = `for ${keepDays} days, of failed tickets ${failed}`
  if (history === 'full') {
    return `Prompts and answers are kept ${time}, in ${durability}. AI_TICKET_HISTORY=off keeps those of tickets only.`
  }
  return `Only prompts and answers of tickets are kept, ${time}, in ${durability}. AI_TICKET_DATA_DIR=:memory: keeps nothing.`
}

/** Ports of AirPlay Receiver, which every Mac has on. */
const AIRPLAY_PORTS: readonly number[] = [5000, 7000]

/** Why the server cannot listen there, and what to do. */
export function listenProblem(
  error: unknown,
  { host, port }: Pick<Config, 'host' | 'port'>,
  platform: NodeJS.Platform,
): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : String(error)
  if (code === 'EADDRINUSE' && platform === 'darwin' && AIRPLAY_PORTS.includes(port)) {
    return `Port ${port} on ${host} is taken, on a Mac usually by AirPlay Receiver. Choose another: --port ${port + 1}, or switch AirPlay Receiver off in System Settings, General, AirDrop & Handoff.`
  }
  if (code === 'EADDRINUSE') {
    return `Port ${port} on ${host} is taken. Stop the program that has it, or choose another: --port ${port + 1}`
  }
  if (code === 'EACCES') return `This user may not use port ${port}. Choose one above 1023: --port 5000`
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND') {
    return `${host} is not an address of this machine. Choose one that is: --host 127.0.0.1`
  }
  return `Cannot listen on ${host}, port ${port} (${code}). Choose others with --host and --port.`
}

interface ShutDownParts {
  readonly signal: string
  readonly server: ReturnType<typeof createServer>
  readonly dispatcher: Dispatcher
  readonly desk: Pick<TicketDesk, 'close'>
  readonly tickets: Pick<TicketParts, 'close'>
  readonly logger: Logger
  readonly drainMs: number
}

/** A client that does not read its answer would hold the process forever. */
const LAST_ANSWERS_MS = 2_000

/**
 * Takes no more events, gives accepted ones `drainMs` to end, then answers the rest with `shutting_down`; tickets go back
 * to the queue. It listens until then, so that `/readyz` says 503. A client that has not read its answer 2 s later is cut
 * off.
 */
async function shutDown({
  signal,
  server,
  dispatcher,
  desk,
  tickets,
  logger,
  drainMs,
}: ShutDownParts): Promise<void> {
  logger.info(`${signal}: accepted events have ${drainMs} ms to end. A second signal stops them at once.`)
  const cutOff = setTimeout(() => server.server.closeAllConnections(), drainMs + LAST_ANSWERS_MS)
  server.drain()
  const drained = await Promise.allSettled([desk.close({ drainMs }), dispatcher.close({ drainMs })])
  const [closed] = await Promise.allSettled([server.close()])
  clearTimeout(cutOff)
  // Last: until now the others had tickets to write.
  const [kept] = await Promise.allSettled([tickets.close()])
  for (const result of [...drained, closed, kept]) {
    if (result.status === 'rejected') logger.error('A part did not close.', { error: String(result.reason) })
  }
  logger.info('Closed.')
}
