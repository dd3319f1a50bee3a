import type { Server, Socket } from 'node:net'
import type { Logger } from '@ai-ticket/core'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { RequestProblem } from '../http/request-problem.ts'
import { currentResponse } from './client-error.ts'

interface SlowReadersOptions {
  /** A connection that takes nothing of its answer for so long is closed, in milliseconds. */
  readonly readerTimeoutMs: number
  /** Bytes of whole answers that may wait until they are read, all connections together. */
  readonly unreadBytes: number
  readonly callerOf: (request: FastifyRequest) => string
  readonly logger: Logger
}

/**
 * Beyond `most` connections, one of the address that has the most is closed: who opens thousands keeps nobody else out. Not
 * `maxConnections` of Node, which closes the new one, whoever it is.
 */
export function limitConnections(server: Server, most: number): void {
  const held = new Map<string, Set<Socket>>()
  let count = 0
  const release = (address: string, socket: Socket) => {
    const own = held.get(address)
    if (!own?.delete(socket)) return
    count -= 1
    if (own.size === 0) held.delete(address)
  }
  server.on('connection', (socket: Socket) => {
    const address = socket.remoteAddress ?? ''
    const own = held.get(address) ?? new Set()
    held.set(address, own.add(socket))
    count += 1
    socket.once('close', () => release(address, socket))
    if (count <= most) return
    const [greedy, theirs] = [...held].reduce(
      (first, one) => (one[1].size > first[1].size ? one : first),
      [address, own],
    )
    const victim = greedy === address ? socket : leastMissed(theirs)
    // At once: its event comes later, and until then it would be chosen again.
    release(greedy, victim ?? socket)
    victim?.destroy()
  })
}

/** One that waits for no answer, else the newest. */
function leastMissed(sockets: ReadonlySet<Socket>): Socket | undefined {
  const all = [...sockets]
  return all.find((socket) => currentResponse(socket) === undefined) ?? all.at(-1)
}

/** Requests of one connection that are worked on before the first of them is answered. */
const PIPELINED = 8
/** As many more may wait for that; a connection with more is closed. */
const MOST_WAITING = 256

/**
 * A connection can bring a thousand requests before it reads an answer. Worked on at once, they would stop the server for
 * seconds, and their answers fill its memory. So all but a few wait until earlier ones have been written.
 */
export function limitPipelines(server: FastifyInstance): void {
  const lines = new WeakMap<Socket, { running: number; readonly waiting: (() => void)[] }>()
  server.addHook('onRequest', (request, reply, done) => {
    const { socket } = request.raw
    const ahead = currentResponse(socket)
    if (ahead === undefined || ahead === reply.raw) return done()
    const line = lines.get(socket) ?? { running: 0, waiting: [] }
    lines.set(socket, line)
    const begin = () => {
      reply.raw.once('close', () => {
        const next = line.waiting.shift()
        // Others come first: what such a line holds must not be worked on in one go.
        if (next) setImmediate(next)
        else line.running -= 1
      })
      // Nobody would hear the answer.
      if (!socket.destroyed) done()
    }
    if (line.running < PIPELINED) {
      line.running += 1
      begin()
    } else if (line.waiting.length < MOST_WAITING) line.waiting.push(begin)
    else socket.destroy()
  })
}

/** Smaller answers fit into the buffers of the connection, or nearly so. */
const LARGE_BYTES = 64 * 1_024
/** Milliseconds that every reader has, however many want room. */
const GRACE_MS = 1_000

/**
 * Whoever asks and does not read holds memory. So a connection that takes nothing is closed after a while, and large
 * answers have a budget together: where it is spent, the oldest of the caller with the most makes room.
 */
export function installSlowReaders(server: FastifyInstance, options: SlowReadersOptions): void {
  const { readerTimeoutMs, unreadBytes, callerOf, logger } = options
  closeStalled(server, readerTimeoutMs, logger)
  const unread = createUnread(unreadBytes)
  // Made when it is needed: to write a number with commas loads 7 MB of languages.
  const full = () =>
    new RequestProblem({
      code: 'capacity_exceeded',
      details:
        `Answers of ${unreadBytes.toLocaleString('en-US')} bytes wait until their callers have read them, and more are ` +
        'not held. Read what you ask for, and send the request again.',
    })
  server.addHook('onSend', (request, reply, payload, done) => {
    const bytes = lengthOf(payload)
    if (bytes < LARGE_BYTES) return done()
    const isRoom = unread.hold({ reply, bytes, caller: callerOf(request), mayBeRefused: isRead(request) })
    return isRoom ? done() : done(full())
  })
}

const isRead = ({ method }: FastifyRequest): boolean => method === 'GET' || method === 'HEAD'

const lengthOf = (payload: unknown): number =>
  typeof payload === 'string' || Buffer.isBuffer(payload) ? payload.length : 0

/**
 * Node knows when a connection has neither sent nor received for so long, bytes of one long write included. While an event
 * waits or runs that is as it should be; with an answer on its way it is not.
 */
function closeStalled(server: FastifyInstance, readerTimeoutMs: number, logger: Logger): void {
  const closeUnlessBusy = (socket: Socket) => {
    const isIdle = currentResponse(socket) === undefined
    if (!isIdle && socket.writableLength === 0) return
    if (!isIdle) logger.warn('connection closed: its client reads nothing', { after_ms: readerTimeoutMs })
    socket.destroy()
  }
  server.server.setTimeout(readerTimeoutMs, (socket: Socket) => {
    const { bytesRead, writableLength } = socket
    // A server that was busy for so long has not seen yet what has come and gone meanwhile.
    setImmediate(() => {
      const hasMoved = socket.bytesRead > bytesRead || socket.writableLength < writableLength
      if (!hasMoved) closeUnlessBusy(socket)
    })
  })
}

interface UnreadAnswer {
  readonly reply: FastifyReply
  readonly bytes: number
  readonly caller: string
  /** Asking again costs nothing but the request. */
  readonly mayBeRefused: boolean
}

/** Large answers that are on their way, the oldest first. */
function createUnread(mostBytes: number) {
  const held = new Map<UnreadAnswer, number>()
  let all = 0
  const release = (answer: UnreadAnswer) => {
    if (held.delete(answer)) all -= answer.bytes
  }
  /** False: nobody has had it for so long that it should be taken away. */
  const makeRoom = (isPatient: boolean): boolean => {
    const [answer, since] = oldestOf(greediest(held), held) ?? []
    if (answer === undefined || since === undefined) return false
    if (isPatient && performance.now() - since < GRACE_MS) return false
    release(answer)
    answer.reply.raw.destroy()
    return true
  }
  return {
    hold(answer: UnreadAnswer): boolean {
      while (held.size > 0 && all + answer.bytes > mostBytes) {
        if (!makeRoom(answer.mayBeRefused)) return false
      }
      held.set(answer, performance.now())
      all += answer.bytes
      answer.reply.raw.once('close', () => release(answer))
      return true
    },
  }
}

/** The caller with the most bytes. */
function greediest(held: ReadonlyMap<UnreadAnswer, number>): string | undefined {
  const bytesOf = new Map<string, number>()
  for (const { caller, bytes } of held.keys()) bytesOf.set(caller, (bytesOf.get(caller) ?? 0) + bytes)
  return [...bytesOf].reduce<[string, number] | undefined>(
    (most, one) => (most === undefined || one[1] > most[1] ? one : most),
    undefined,
  )?.[0]
}

const oldestOf = (
  caller: string | undefined,
  held: ReadonlyMap<UnreadAnswer, number>,
): [UnreadAnswer, number] | undefined => [...held].find(([answer]) => answer.caller === caller)
