import { randomUUID } from 'node:crypto'
import type { IncomingMessage, Server } from 'node:http'
import { silentLogger } from '@ai-ticket/core'
import {
  type FastifyHttpOptions,
  type FastifyInstance,
  type FastifyRequest,
  fastify,
  LogController,
} from 'fastify'
import type { AnswerOptions } from './answer/answer-event.ts'
import type { Scope } from './gate/api-key.ts'
import { createKeyring, createPrioritise, installAuth, mayUse } from './gate/auth.ts'
import { installBodyBudget } from './gate/body-budget.ts'
import { answerClientError, refuseTunnel } from './gate/client-error.ts'
import { installCors, installCrossSiteCheck } from './gate/cors.ts'
import { type Drain, installDrain } from './gate/drain.ts'
import { answerError, installDialects, installErrorHandler, installNotFound } from './gate/error-handler.ts'
import { installHostCheck } from './gate/host-check.ts'
import { createRateLimiter } from './gate/rate-limit.ts'
import { installRateLimit, type KeyReport, reportKeys } from './gate/rate-limit-hook.ts'
import { FastifyLogger, installRequestLog } from './gate/request-log.ts'
import { installUrlLimit, toOriginForm } from './gate/request-url.ts'
import { installSlowReaders, limitConnections, limitPipelines } from './gate/slow-readers.ts'
import { acceptOnlyJson } from './http/json-body.ts'
import { installOpenApi } from './openapi/registry.ts'
import { type ResolvedServerOptions, resolveServerOptions, type ServerOptions } from './options.ts'
import { addBackendsRoute } from './routes/backends.ts'
import { addCompletionsRoutes } from './routes/completions.ts'
import { eventRoutes } from './routes/event.ts'
import { addHealthRoutes, type HealthChecks } from './routes/health.ts'
import { addMetricsRoute } from './routes/metrics.ts'
import { addModelRoutes } from './routes/models.ts'
import { addOpenApiRoute } from './routes/openapi.ts'

/**
 * A Fastify server in front of a dispatcher, not yet listening: `await createServer({ dispatcher }).listen({ port })`.
 *
 * `POST /event` (JSON, or server-sent events by `Accept`), `GET /backends`, `/metrics` (with `metrics`), `/health`,
 * `/livez`, `/readyz`, and for OpenAI's clients `POST /v1/chat/completions`, `POST /v1/completions`, `GET /v1/models`. Every error is `{ error, details }` (under `/v1`
 * OpenAI's `{ error: { message, type, param, code } }`) with an `X-Request-Id`; a caller that hangs up cancels its event.
 * It binds nothing by itself and does not insist on keys: whoever calls `listen` decides which address needs them.
 *
 * To stop: `server.drain()`, `await dispatcher.close({ drainMs })`, `await server.close()`. `drain()` refuses new events and
 * keeps the listener open, so that probes see 503; `close()` takes no more connections, lets answers finish and does not
 * wait for idle clients. It does not end events: that is up to whoever owns the dispatcher.
 * A client that stops reading in the middle of an answer can hold it for `readerTimeoutMs`;
 * `server.server.closeAllConnections()` after your own limit of time ends that too.
 *
 * Throws a `TypeError` naming the option that has a bad value. Options, units and defaults: `ServerOptions`.
 */
export function createServer(options: ServerOptions): FastifyInstance {
  const resolved = resolveServerOptions(options)
  const server: FastifyInstance = fastify(fastifyOptions(resolved))
  addRoutes(server, resolved, installPlugins(server, resolved))
  limitConnections(server.server, resolved.maxConnections)
  // Node answers an `Expect` it does not know with an empty 417; RFC 9110 lets a server ignore it.
  server.server.on('checkExpectation', server.routing).on('connect', refuseTunnel)
  return server
}

/** With no proxy in front, nobody else cuts off slow or endless requests. */
function fastifyOptions(options: ResolvedServerOptions): FastifyHttpOptions<Server> {
  const { logger, requestTimeoutMs, trustProxy } = options
  return {
    genReqId: requestIdOf,
    rewriteUrl: toOriginForm,
    // Base addresses are put together by hand: `/v1/chat/completions/` and `//v1/chat/completions` mean the same.
    routerOptions: { ignoreTrailingSlash: true, ignoreDuplicateSlashes: true },
    bodyLimit: options.bodyLimitBytes,
    trustProxy: typeof trustProxy === 'object' ? [...trustProxy] : trustProxy,
    requestTimeout: requestTimeoutMs,
    // Longer than the idle timeout of usual load balancers (60 s), so that they close first and never meet a reset.
    keepAliveTimeout: 72_000,
    // The drain plugin answers in our shape instead.
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    clientErrorHandler: answerClientError,
    frameworkErrors: (error, request, reply) => {
      reply.header('x-request-id', request.id)
      answerError({ error, request, reply, logger })
    },
    http: {
      headersTimeout: Math.min(20_000, requestTimeoutMs),
      connectionsCheckingInterval: Math.min(5_000, Math.ceil(requestTimeoutMs / 4)),
      maxHeaderSize: 16 * 1_024,
      // Node would answer a missing Host with an empty body; the host check says it in our shape.
      requireHostHeader: false,
    },
    ...(logger === silentLogger ? {} : loggerOptions(options)),
  }
}

function loggerOptions({ logger }: ResolvedServerOptions) {
  return {
    loggerInstance: new FastifyLogger(logger),
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'request_id' }),
  }
}

declare module 'fastify' {
  interface FastifyInstance {
    /** The name of the API key that a request shows; undefined without one, or where none are wanted. For plugins. */
    keyNameOf(request: FastifyRequest): string | undefined
    /** Whether the key that a request shows has this scope, or `admin`; true where no keys are wanted. For plugins. */
    hasScope(request: FastifyRequest, scope: Scope): boolean
    /** Whether callers have to show a key. For plugins. */
    wantsKeys: boolean
    /** The API keys without the keys; none where none are wanted. For plugins. */
    keyReports(): KeyReport[]
    /** What `GET /health` looks at beside the backends; plugins put their checks here. */
    healthChecks: HealthChecks
    /**
     * Takes no more events: they are refused with `shutting_down`, and `/readyz` says 503, with the listener open. Call it
     * when the drain of the dispatcher begins, and `close()` when that has ended. `close()` alone begins it, too.
     */
    drain(): void
  }
}

interface Guards {
  readonly drain: Drain
  /** The name of the caller's key; without one, or where none are wanted, its address. */
  readonly callerOf: (request: FastifyRequest) => string
  readonly prioritise: AnswerOptions['prioritise']
  readonly maySeeDetail: (request: FastifyRequest) => boolean
}

/** Hooks run in this order, the cheap refusals first. */
function installPlugins(server: FastifyInstance, options: ResolvedServerOptions): Guards {
  const { logger, apiKeys, allowedHosts, rateLimit } = options
  const keyring = apiKeys.length > 0 ? createKeyring(apiKeys, options.clock) : undefined
  const holderOf = ({ raw }: FastifyRequest) => keyring?.verify(raw.headers)
  const keyNameOf = (request: FastifyRequest) => holderOf(request)?.name
  const hasScope = (request: FastifyRequest, scope: Scope) => {
    const holder = holderOf(request)
    return holder === undefined ? keyring === undefined : mayUse(holder, [scope])
  }
  server.decorate('keyNameOf', keyNameOf).decorate('hasScope', hasScope)
  const limiter = createRateLimiter(options.clock)
  server.decorate('wantsKeys', keyring !== undefined)
  server.decorate('keyReports', () => reportKeys(keyring, { limiter, rateLimit }))
  installDialects(server)
  installErrorHandler(server, logger)
  if (logger !== silentLogger) installRequestLog(server, logger)
  installRequestId(server)
  if (options.corsOrigins.length > 0) installCors(server, options.corsOrigins)
  limitPipelines(server)
  installUrlLimit(server)
  const drain = installDrain(server, Math.min(options.requestTimeoutMs, 5_000))
  installCrossSiteCheck(server, options.corsOrigins)
  const hasGoodHost = installHostCheck(server, keyring === undefined ? allowedHosts : 'any')
  if (isLimited(options)) installRateLimit(server, { limiter, rateLimit, holderOf })
  if (keyring !== undefined) installAuth(server, keyring)
  const callerOf = (request: FastifyRequest) => keyNameOf(request) ?? request.ip
  installBodyBudget(server, { budgetBytes: options.bodyBudgetBytes, callerOf })
  installSlowReaders(server, { ...options, callerOf })
  installNotFound(server)
  acceptOnlyJson(server)
  const maySeeDetail =
    keyring === undefined ? hasGoodHost : (request: FastifyRequest) => hasScope(request, 'read')
  return { drain, callerOf, prioritise: createPrioritise(options.priorities, holderOf), maySeeDetail }
}

const isLimited = ({ rateLimit, apiKeys }: ResolvedServerOptions): boolean =>
  rateLimit !== false || apiKeys.some((key) => key.rateLimit)

function addRoutes(server: FastifyInstance, options: ResolvedServerOptions, guards: Guards): void {
  const { dispatcher, logger, version, metrics, ready, bodyLimitBytes, pingIntervalMs, clock } = options
  const { drain, callerOf, prioritise, maySeeDetail } = guards
  const registry = installOpenApi(server)
  const checks: HealthChecks = {}
  server.decorate('healthChecks', checks)
  const isReady = () => !drain.active && ready()
  addBackendsRoute(server, dispatcher)
  if (metrics !== undefined) addMetricsRoute(server, metrics, dispatcher)
  addHealthRoutes(server, { dispatcher, logger, version, isReady, checks, maySeeDetail })
  const answerOptions = { dispatcher, logger, pingIntervalMs, clock, callerOf, prioritise }
  server.decorate('desk', answerOptions).decorateRequest('cancelSignal', undefined)
  server.register(eventRoutes, { ...answerOptions, bodyLimitBytes })
  addCompletionsRoutes(server, answerOptions)
  addModelRoutes(server, answerOptions)
  addOpenApiRoute(server, registry, {
    version,
    withKeys: options.apiKeys.length > 0,
    withLimits: isLimited(options),
  })
}

/** An id from outside goes into logs and a header, so it holds nothing that could forge either. */
const VALID = /^[A-Za-z0-9._:-]{1,128}$/

/** The caller's `X-Request-Id` where it is a sane one, else a new UUID. */
export function requestIdOf({ headers }: IncomingMessage): string {
  const given = headers['x-request-id']
  return typeof given === 'string' && VALID.test(given) ? given : randomUUID()
}

/** Every reply carries its id, and none is taken for something else than what it says it is. */
export function installRequestId(server: FastifyInstance): void {
  server.addHook('onRequest', (request, reply, done) => {
    reply.header('x-request-id', request.id).header('x-content-type-options', 'nosniff')
    done()
  })
}
