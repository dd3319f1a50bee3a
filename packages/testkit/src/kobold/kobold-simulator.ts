import type { Socket } from 'node:net'
import { createWatch, type WaitOptions } from '../wire/watch.ts'
import { createFaultBook } from './fault-book.ts'
import { createKoboldEngine } from './kobold-engine.ts'
import type { KoboldFault } from './kobold-script.ts'
import type { RecordedAbort, RecordedCall, RecordedRequest } from './recorded-call.ts'
import { createDoor, serveSocket } from './serve-socket.ts'
import { type KoboldSimulatorOptions, resolveSimulatorOptions } from './simulator-options.ts'

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
  readonly port: number
  /** Generations, in order of arrival. */
  readonly calls: readonly RecordedCall[]
  /** Every request, probes and aborts included. */
  readonly requests: readonly RecordedRequest[]
  readonly aborts: readonly RecordedAbort[]
  /** Tokens that were generated after their caller had gone. */
  readonly wastedTokens: number
  /** The most generations that ran at the same time. */
  readonly maxRunning: number
  /** Whether the model is busy: perf says `idle: 0`. */
  readonly generating: boolean
  /** How many calls wait for the model: perf's `queue`. */
  readonly waiting: number
  readonly openConnections: number
  /** Replaces the script; counters start anew. Resolves when the port is open or closed accordingly. */
  setFaults(faults: readonly KoboldFault[]): Promise<void>
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
 * of calls, aborts and wasted tokens. It is no language model: the answers are fixed text.
 */
export async function startKoboldSimulator(
  options: StartKoboldSimulatorOptions = {},
): Promise<KoboldSimulator> {
  const { port = 0, host = '127.0.0.1', keepAlive = false } = options
  const resolved = resolveSimulatorOptions(options)
  const faults = createFaultBook(options.faults ?? [])
  const watch = createWatch()
  const engine = createKoboldEngine(resolved, faults, watch.changed)
  const sockets = new Set<Socket>()
  let wantsOpen = true
  let loading: NodeJS.Timeout | undefined

  const door = createDoor(host, port, (socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => {
      sockets.delete(socket)
      watch.changed()
    })
    if (faults.take('connection') !== undefined) socket.resetAndDestroy()
    else serveSocket(socket, engine, { ...resolved, keepAlive })
  })
  const align = async () => {
    if (wantsOpen && loading === undefined && !faults.refuses()) await door.open()
    else door.close()
  }
  const load = (loadingMs: number) => {
    clearTimeout(loading)
    loading = undefined
    if (loadingMs <= 0) return
    loading = setTimeout(() => {
      loading = undefined
      void align().then(watch.changed)
    }, loadingMs)
  }
  const die = () => {
    clearTimeout(loading)
    loading = undefined
    door.close()
    engine.die()
    for (const socket of sockets) socket.destroy()
  }
  const close = async () => {
    wantsOpen = false
    die()
    if (sockets.size > 0) await watch.until(() => sockets.size === 0, 'its connections to close')
  }

  // The number of the port is needed before a load ends, so it is taken once and given back.
  await door.open()
  load(resolved.loadingMs)
  await align()

  const simulator: KoboldSimulator = {
    url: `http://${host}:${door.port()}`,
    port: door.port(),
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
      return sockets.size
    },
    setFaults(next) {
      faults.set(next)
      return align()
    },
    addFault(fault) {
      faults.add(fault)
      return align()
    },
    async waitForCall(n = 1, waitOptions = {}) {
      await watch.until(() => engine.calls.length >= n, `call number ${n}`, waitOptions)
      return engine.calls[n - 1] as RecordedCall
    },
    waitFor: (predicate, waitOptions) =>
      watch.until(() => predicate(simulator), 'what the test is waiting for', waitOptions),
    stopListening() {
      wantsOpen = false
      return align()
    },
    startListening() {
      wantsOpen = true
      return align()
    },
    async loadModel(name, loadingMs = 0) {
      die()
      engine.model = name
      load(loadingMs)
      await align()
    },
    async kill() {
      wantsOpen = false
      die()
    },
    close,
    [Symbol.asyncDispose]: close,
  }
  return simulator
}
