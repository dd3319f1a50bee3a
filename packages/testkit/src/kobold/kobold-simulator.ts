import type { Socket } from 'node:net'
import { createWatch, type WaitOptions, type Watch } from '../wire/watch.ts'
import type { KoboldFault } from './contract/kobold-script.ts'
import type { RecordedAbort, RecordedCall, RecordedRequest } from './contract/recorded-call.ts'
import {
  type KoboldSimulatorOptions,
  type ResolvedOptions,
  resolveSimulatorOptions,
} from './contract/simulator-options.ts'
import { createFaultBook, type FaultBook } from './fault-book.ts'
import { KoboldEngine } from './kobold-engine.ts'
import { createDoor, type Door, serveSocket } from './serve-socket.ts'

/** For `startKoboldSimulator`. */
export interface StartKoboldSimulatorOptions extends KoboldSimulatorOptions {
  /** Default 0: a free port. */
  readonly port?: number
  /** Default `127.0.0.1`. */
  readonly host?: string
  /** Answer in HTTP/1.1 and keep connections, which no real KoboldCPP does: for benchmarks. Default false. */
  readonly keepAlive?: boolean
}

/** A running simulator. */
export interface KoboldSimulator extends AsyncDisposable {
  /** Base address without a slash at the end and without `/api`, e.g. `http://127.0.0.1:40123`. */
  readonly url: string
  /** Where it listens. */
  readonly port: number
  /** Generations, in order of arrival. */
  readonly calls: readonly RecordedCall[]
  /** Every request, probes and aborts included. */
  readonly requests: readonly RecordedRequest[]
  /** Every `/api/extra/abort`, in order of arrival. */
  readonly aborts: readonly RecordedAbort[]
  /** Tokens that were generated after their caller had gone. */
  readonly wastedTokens: number
  /** The most generations that ran at the same time. */
  readonly maxRunning: number
  /** Whether the model is busy: perf says `idle: 0`. */
  readonly generating: boolean
  /** How many calls wait for the model: perf's `queue`. */
  readonly waiting: number
  /** Connections that neither side has closed. */
  readonly openConnections: number
  /** Replaces the script; counters start again at zero. Resolves when the port is open or closed accordingly. */
  setFaults(faults: readonly KoboldFault[]): Promise<void>
  /** Adds one to the end of the script. Resolves when the port is open or closed accordingly. */
  addFault(fault: KoboldFault): Promise<void>
  /** Resolves with the n-th call (from 1) as soon as it has come in. */
  waitForCall(n?: number, options?: WaitOptions): Promise<RecordedCall>
  /** Resolves as soon as the predicate holds; it is asked whenever something happened. */
  waitFor(predicate: (simulator: KoboldSimulator) => boolean, options?: WaitOptions): Promise<void>
  /** Closes the port; connections and calls go on. New ones are refused. */
  stopListening(): Promise<void>
  /** Opens the same port again. */
  startListening(): Promise<void>
  /** What an admin reload looks like: running calls are cut, the port is closed for `loadingMs`, then the other model answers. */
  loadModel(name: string | null, loadingMs?: number): Promise<void>
  /** Like SIGKILL: the port is closed and every connection cut (FIN) at once. `startListening` starts it again. */
  kill(): Promise<void>
  /** Ends everything. May be called twice. */
  close(): Promise<void>
}

/**
 * Starts a KoboldCPP simulator on a loopback socket. It answers as the recorded servers do and keeps account
 * of calls, aborts and wasted tokens. It is not a language model: the answers are fixed text.
 */
export async function startKoboldSimulator(
  options: StartKoboldSimulatorOptions = {},
): Promise<KoboldSimulator> {
  const faults = createFaultBook(options.faults ?? [])
  const watch = createWatch()
  const settings = resolveSimulatorOptions(options)
  const engine = new KoboldEngine(settings, faults, watch.changed)
  const server = new SimulatedProcess({ options, settings, engine, faults, watch })
  await server.start()
  const close = () => server.close()
  const simulator: KoboldSimulator = {
    url: `http://${server.host}:${server.port}`,
    port: server.port,
    calls: engine.calls,
    requests: engine.requests,
    aborts: engine.aborts,
    get wastedTokens() {
      return engine.wastedTokens
    },
    get maxRunning() {
      return engine.maxRunning
    },
    get generating() {
      return engine.generating
    },
    get waiting() {
      return engine.waiting
    },
    get openConnections() {
      return server.openConnections
    },
    setFaults(next) {
      faults.set(next)
      return server.align()
    },
    addFault(fault) {
      faults.add(fault)
      return server.align()
    },
    async waitForCall(n = 1, waitOptions = {}) {
      await watch.until(() => engine.calls.length >= n, `call number ${n}`, waitOptions)
      return engine.calls[n - 1] as RecordedCall
    },
    waitFor: (predicate, waitOptions) =>
      watch.until(() => predicate(simulator), 'what the test is waiting for', waitOptions),
    stopListening: () => server.listen(false),
    startListening: () => server.listen(true),
    loadModel: (name, loadingMs = 0) => server.loadModel(name, loadingMs),
    kill: async () => server.kill(),
    close,
    [Symbol.asyncDispose]: close,
  }
  return simulator
}

interface ProcessParts {
  readonly options: StartKoboldSimulatorOptions
  readonly settings: ResolvedOptions
  readonly engine: KoboldEngine
  readonly faults: FaultBook
  readonly watch: Watch
}

/** The process around the engine: its port, its connections, and the loading of its model. */
class SimulatedProcess {
  readonly host: string
  readonly #parts: ProcessParts
  readonly #sockets = new Set<Socket>()
  readonly #door: Door
  #wantsOpen = true
  #loading: NodeJS.Timeout | undefined

  constructor(parts: ProcessParts) {
    const { port = 0, host = '127.0.0.1' } = parts.options
    this.host = host
    this.#parts = parts
    this.#door = createDoor(host, port, (socket) => this.#welcome(socket))
  }

  get port(): number {
    return this.#door.port()
  }

  get openConnections(): number {
    return this.#sockets.size
  }

  /** Resolves when the port is open, or closed because the model loads. */
  async start(): Promise<void> {
    // The number of the port is needed before a load ends, so it is taken once and given back.
    await this.#door.open()
    this.#load(this.#parts.settings.loadingMs)
    await this.align()
  }

  /** Opens or closes the port, as the faults, the loading and the caller want it. */
  async align(): Promise<void> {
    const { faults } = this.#parts
    if (this.#wantsOpen && this.#loading === undefined && !faults.refuses()) await this.#door.open()
    else this.#door.close()
  }

  listen(wantsOpen: boolean): Promise<void> {
    this.#wantsOpen = wantsOpen
    return this.align()
  }

  loadModel(name: string | null, loadingMs: number): Promise<void> {
    this.#die()
    this.#parts.engine.model = name
    this.#load(loadingMs)
    return this.align()
  }

  kill(): void {
    this.#wantsOpen = false
    this.#die()
  }

  async close(): Promise<void> {
    this.kill()
    if (this.#sockets.size === 0) return
    await this.#parts.watch.until(() => this.#sockets.size === 0, 'its connections to close')
  }

  #welcome(socket: Socket): void {
    const { options, settings, engine, faults, watch } = this.#parts
    this.#sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => {
      this.#sockets.delete(socket)
      watch.changed()
    })
    if (faults.take('connection') !== undefined) socket.resetAndDestroy()
    else serveSocket(socket, engine, { ...settings, keepAlive: options.keepAlive ?? false })
  }

  #load(loadingMs: number): void {
    clearTimeout(this.#loading)
    this.#loading = undefined
    if (loadingMs <= 0) return
    this.#loading = setTimeout(() => {
      this.#loading = undefined
      void this.align().then(this.#parts.watch.changed)
    }, loadingMs)
  }

  #die(): void {
    clearTimeout(this.#loading)
    this.#loading = undefined
    this.#door.close()
    this.#parts.engine.die()
    for (const socket of this.#sockets) socket.destroy()
  }
}
