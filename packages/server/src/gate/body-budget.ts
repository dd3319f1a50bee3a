import type { IncomingMessage } from 'node:http'
import { Transform, type TransformCallback } from 'node:stream'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { RequestProblem } from '../http/request-problem.ts'

interface BodyBudgetOptions {
  /** Bytes of all bodies that come, wait or run here. */
  readonly budgetBytes: number
  readonly callerOf: (request: FastifyRequest) => string
}

/** One caller may have this part of what the others leave: there is always room for somebody else. */
const SHARE_OF_ONE = 3 / 4

/** Milliseconds: what fills this much memory takes a while. */
const RETRY_AFTER_MS = 5_000

/** Counts what is held for each caller. */
export interface BodyBudget {
  /** False: there is no room, or the caller would have more than its share. */
  take(caller: string, bytes: number): boolean
  give(caller: string, bytes: number): void
}

export function createBodyBudget(budgetBytes: number): BodyBudget {
  const held = new Map<string, number>()
  let all = 0
  return {
    take(caller, bytes) {
      const own = held.get(caller) ?? 0
      if (all + bytes > budgetBytes) return false
      // A first body needs no more than room: the share of one may be smaller than it.
      if (own > 0 && own + bytes > SHARE_OF_ONE * (budgetBytes - (all - own))) return false
      all += bytes
      held.set(caller, own + bytes)
      return true
    },
    give(caller, bytes) {
      all -= bytes
      const left = (held.get(caller) ?? 0) - bytes
      if (left > 0) held.set(caller, left)
      else held.delete(caller)
    },
  }
}

/**
 * A body counts from the moment at which it is announced until its reply is out: while it comes, waits and runs. Beyond
 * the budget a request is refused with 503 before it is read. To be installed when it is known who asks.
 */
export function installBodyBudget(server: FastifyInstance, options: BodyBudgetOptions): void {
  const { budgetBytes, callerOf } = options
  const budget = createBodyBudget(budgetBytes)
  // Made when it is needed: to write a number with commas loads 7 MB of languages.
  const full = () =>
    new RequestProblem({
      code: 'capacity_exceeded',
      details:
        `The requests that wait or run here may have ${budgetBytes.toLocaleString('en-US')} bytes in all, and those of ` +
        'one caller three quarters of what others leave. There is no room for this one now. Send it again later.',
      retryAfterMs: RETRY_AFTER_MS,
    })
  server.addHook('onRequest', (request, reply, done) => {
    const bytes = Number(request.raw.headers['content-length'] ?? 0)
    // More than one body may have is refused for that, when it would be read.
    if (bytes === 0 || request.is404 || bytes > (request.routeOptions.bodyLimit ?? 0)) return done()
    const caller = callerOf(request)
    if (!budget.take(caller, bytes)) return done(full())
    reply.raw.once('close', () => budget.give(caller, bytes))
    done()
  })
  server.addHook('preParsing', (request, reply, payload, done) => {
    if (request.raw.headers['transfer-encoding'] === undefined || request.is404) return done(null, payload)
    const caller = callerOf(request)
    let taken = 0
    reply.raw.once('close', () => budget.give(caller, taken))
    const take = (bytes: number) => {
      if (!budget.take(caller, bytes)) return full()
      taken += bytes
      return undefined
    }
    done(null, countedBody(request.raw, take))
  })
}

/** A body that does not say how long it will be counts as it comes. */
function countedBody(body: IncomingMessage, take: (bytes: number) => Error | undefined): Transform {
  const counted = new Transform({
    transform(chunk: Buffer, _encoding, passOn: TransformCallback) {
      const refusal = take(chunk.length)
      if (refusal === undefined) return passOn(null, chunk)
      // The rest is read and thrown away: a client that still sends would see a reset instead of the answer.
      body.unpipe(counted).resume()
      passOn(refusal)
    },
  })
  body.once('error', (error) => counted.destroy(error))
  return body.pipe(counted)
}
