import { hostname } from 'node:os'
import { type ControlRoutesOptions, controlRoutes, createSeries } from '@ai-ticket/control'
import type { Dispatcher, Logger, Observer, OutcomeListener } from '@ai-ticket/core'
import type { createServer, Metrics } from '@ai-ticket/http-server'
import {
  type CallbackObserver,
  type CallbackPolicy,
  type CallbackSender,
  createCallbackPolicy,
  createCallbackSender,
  createHistory,
  createSqliteStore,
  createTicketDesk,
  storeProblem,
  type TicketDesk,
  type TicketStore,
} from '@ai-ticket/tickets'
import { ticketRoutes } from '@ai-ticket/tickets/fastify'
import type { Config } from '../config/config.ts'
import { VERSION } from '../version.ts'

const DAY_MS = 86_400_000
/** How long a claim in PostgreSQL lasts. It is renewed each third of that, so another server takes over within 30 s. */
const SHARED_LEASE_MS = 20_000

/** A callback on its way when the server closes has this long to be answered; otherwise it is sent again. */
const LAST_CALLBACKS_MS = 2_000

/** The parts that make tickets, in the order in which they are put together. */
export interface TicketParts {
  /** Where the tickets are, and what they survive. */
  readonly durability: string
  /** For the dispatcher, which is made after the store. */
  readonly onOutcome: OutcomeListener
  /** The same: counts for `GET /series`. */
  readonly observer: Required<Observer>
  /** Adds the routes; the server must not listen yet. */
  serve(server: ReturnType<typeof createServer>, dispatcher: Dispatcher, settings?: SettingsPort): TicketDesk
  /** What is kept of events that are answered at once. */
  readonly history: () => Config['history']
  /** Obeys another history and another retention from here on. */
  change(config: Config): void
  /** Begins to send callbacks, where the configuration allows any. */
  sendCallbacks(): void
  /** Writes what is left and closes the files, after the dispatcher and the server. */
  close(): Promise<void>
}

/** What the parts of tickets stand in. */
export interface TicketSurroundings {
  readonly logger: Logger
  readonly metrics: Metrics | undefined
}

/** For `GET /config` and its like. */
type SettingsPort = Pick<ControlRoutesOptions, 'settings' | 'changer'>

/** Opens the store. Throws `StoreUnavailable`, with what to do, where it cannot be opened. */
export async function composeTickets(
  config: Config,
  { logger, metrics }: TicketSurroundings,
): Promise<TicketParts> {
  const store = await openStore(config, logger)
  let running: TicketDesk | undefined
  metrics?.showTickets({
    stats: () => store.stats(),
    nextDueInMs: () => store.nextDueInMs(),
    pendingCallbacks: () => store.callbacks.pending(),
    problem: () => storeProblem({ store, desk: running }),
  })
  const callbacks = composeCallbacks(config, { store, logger, observer: metrics?.callbackObserver })
  const history = createHistory({ store, logger, ...memory(config) })
  const series = createSeries({ worker: workerOf(config), store, logger })
  let mode = config.history
  return {
    durability: store.durability,
    onOutcome: history.onOutcome,
    observer: series.observer,
    history: () => mode,
    change(changed) {
      mode = changed.history
      history.change(memory(changed))
      running?.change(patience(changed))
    },
    serve(server, dispatcher, settings) {
      const desk = createTicketDesk({ store, dispatcher, logger, ...patience(config), ...sharing(config) })
      running = desk
      server.register(ticketRoutes, {
        store,
        desk,
        logger,
        bodyLimitBytes: config.bodyLimitBytes,
        ...(callbacks && { callbacks: callbacks.policy }),
      })
      server.register(controlRoutes, {
        dispatcher,
        tickets: store,
        logger,
        version: VERSION,
        worker: nameOf(config),
        store: config.databaseUrl === '' ? 'sqlite' : 'postgres',
        history: () => mode,
        takesCallbacks: callbacks !== undefined,
        series,
        ...settings,
      })
      return desk
    },
    sendCallbacks: () => callbacks?.sender.start(),
    async close() {
      await Promise.all([history.close(), callbacks?.sender.close({ drainMs: LAST_CALLBACKS_MS })])
      await store.close()
    },
  }
}

/** A setting of 0 means no limit. */
function memory({ history, keepDays, keepFailedDays, keepTickets }: Config) {
  return {
    mode: history,
    keepMs: keepDays * DAY_MS,
    keepFailedMs: keepFailedDays === 0 ? Number.POSITIVE_INFINITY : keepFailedDays * DAY_MS,
    ...(keepTickets === 0 ? {} : { keep: keepTickets }),
  }
}

async function openStore(config: Config, logger: Logger): Promise<TicketStore> {
  const { databaseUrl, dataDir } = config
  if (databaseUrl === '') return createSqliteStore({ directory: dataDir, logger })
  // Loaded where it is used: the embedded store starts quicker without it.
  const { createPostgresStore } = await import('@ai-ticket/tickets/postgres')
  const store = await createPostgresStore({ connectionString: databaseUrl, logger })
  try {
    // Before anybody is answered: a second server of one name must not even begin.
    await store.holdName(nameOf(config))
    return store
  } catch (error) {
    await store.close()
    throw error
  }
}

const nameOf = ({ worker, port }: Config): string => worker || `${hostname()}:${port}`

/** A file of SQLite has one server, whatever that is called: the name of a machine follows its network. */
const workerOf = (config: Config): string => (config.databaseUrl === '' ? 'local' : nameOf(config))

/** Tickets are overtaken for as long as events are. */
const patience = ({ tuning: { overtakeMs } }: Config) => (overtakeMs === undefined ? {} : { overtakeMs })

/** Servers on one PostgreSQL need names: a server that restarts gets the claims of its name back at once. */
function sharing(config: Config) {
  if (config.databaseUrl === '') return {}
  return { worker: nameOf(config), leaseMs: SHARED_LEASE_MS }
}

interface CallbackParts {
  readonly policy: CallbackPolicy
  readonly sender: CallbackSender
}

interface CallbackSurroundings {
  readonly store: TicketStore
  readonly logger: Logger
  /** Undefined: nothing is counted. */
  readonly observer: CallbackObserver | undefined
}

/** Undefined: no callbacks are allowed. Those that an earlier configuration left unsent wait. */
function composeCallbacks(
  { callbackAllow: allow, callbackPrivate, callbackSecrets: secrets, callbackBody: content }: Config,
  { store, logger, observer }: CallbackSurroundings,
): CallbackParts | undefined {
  if (allow.length === 0) return undefined
  const policy = createCallbackPolicy({ allow, privateNetworks: callbackPrivate })
  const sender = createCallbackSender({
    store,
    policy,
    secrets,
    content,
    logger,
    version: VERSION,
    ...(observer && { observer }),
  })
  return { policy, sender }
}
