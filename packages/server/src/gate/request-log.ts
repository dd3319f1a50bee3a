import { format } from 'node:util'
import type { LineLevel, LogFields, Logger } from '@ai-ticket/core'
import type { FastifyBaseLogger, FastifyInstance } from 'fastify'
import { isOver, isTold } from '../http/reply.ts'
import { isKeyless } from './auth.ts'
import { isOpenPath, pathOf } from './request-url.ts'

const MAX_PATH_LENGTH = 256
const HUNG_UP = 499

/**
 * One line per request, when its response has closed: Fastify's own `onResponse` never comes for a caller that hung up.
 * The query is left out, it may hold anything. Probes, scrapes and public files are lines at debug, and so are requests whose
 * event has a line of its own. Other failures of the server are lines at warn.
 */
export function installRequestLog(server: FastifyInstance, logger: Logger): void {
  server.addHook('onRequest', (request, reply, done) => {
    const startedAt = performance.now()
    reply.raw.once('close', () => {
      const url = request.raw.url ?? ''
      const status = isOver(reply.raw) ? reply.raw.statusCode : HUNG_UP
      const level = levelOf(url, status, isTold(reply.raw) || (status < 500 && isKeyless(request)))
      if (logger.isEnabled?.(level) === false) return
      logger[level]('request', {
        request_id: request.id,
        method: request.method,
        path: pathOf(url).slice(0, MAX_PATH_LENGTH),
        status,
        duration_ms: Math.round(performance.now() - startedAt),
      })
    })
    done()
  })
}

function levelOf(url: string, status: number, hasLine: boolean): 'debug' | 'info' | 'warn' {
  if (hasLine) return 'debug'
  if (status >= 500) return 'warn'
  return isOpenPath(url) || pathOf(url) === '/metrics' ? 'debug' : 'info'
}

type ChildArguments = Parameters<FastifyBaseLogger['child']>
type Serializers = Readonly<Record<string, (value: never) => unknown>>

interface Origin {
  readonly parent?: FastifyLogger
  readonly serializers?: Serializers
}

/**
 * Our `Logger` in the shape that Fastify and its plugins expect (pino's). One object per request carries the bindings:
 * a new consola for each would cost thirty times as much. The serializers handed over by Fastify are applied, for
 * without them a line with `req` would print every header, `authorization` included.
 */
export class FastifyLogger implements FastifyBaseLogger {
  /** Fastify wants one; what is really written is decided by our logger. */
  readonly level = 'info'
  readonly #logger: Logger
  readonly #own: LogFields
  readonly #parent: FastifyLogger | undefined
  readonly #serializers: Serializers

  constructor(logger: Logger, bindings: LogFields = {}, { parent, serializers = {} }: Origin = {}) {
    this.#logger = logger
    this.#own = bindings
    this.#parent = parent
    this.#serializers = serializers
  }

  child(bindings: ChildArguments[0], options?: ChildArguments[1]): FastifyLogger {
    const own = options?.serializers as Serializers | undefined
    const serializers = own ? { ...this.#serializers, ...own } : this.#serializers
    return new FastifyLogger(this.#logger, bindings, { parent: this, serializers })
  }

  /** Put together when a line is written: Fastify makes a child for every request, and few of them write. */
  #bindings(): LogFields {
    const inherited = this.#parent ? this.#parent.#bindings() : {}
    return { ...inherited, ...this.#serialize(this.#own) }
  }

  trace(...line: unknown[]): void {
    this.#write('debug', line)
  }
  debug(...line: unknown[]): void {
    this.#write('debug', line)
  }
  info(...line: unknown[]): void {
    this.#write('info', line)
  }
  warn(...line: unknown[]): void {
    this.#write('warn', line)
  }
  error(...line: unknown[]): void {
    this.#write('error', line)
  }
  fatal(...line: unknown[]): void {
    this.#write('error', line)
  }
  silent(): void {}

  /** pino's order of arguments: `(message, …values)` or `(fields or error, message, …values)`. */
  #write(level: LineLevel, [first, ...rest]: unknown[]): void {
    if (typeof first === 'string') {
      this.#logger[level](rest.length === 0 ? first : format(first, ...rest), this.#bindings())
      return
    }
    const fields = first instanceof Error ? { err: first } : ((first ?? {}) as LogFields)
    const [message = first instanceof Error ? first.message : '', ...values] = rest
    const text = values.length === 0 ? String(message) : format(message, ...values)
    this.#logger[level](text, { ...this.#bindings(), ...this.#serialize(fields) })
  }

  #serialize(fields: LogFields): LogFields {
    const serialized: Record<string, unknown> = {}
    for (const [key, value] of Object.entries(fields)) {
      const serialize = this.#serializers[key] as ((value: unknown) => unknown) | undefined
      serialized[key] = serialize === undefined ? value : serialize(value)
    }
    return serialized
  }
}
