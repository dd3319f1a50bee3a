import { type Clock, type Dispatcher, type Logger, silentLogger, systemClock } from '@ai-ticket/core'
import type { TicketStore } from '@ai-ticket/tickets'
import type { FastifyInstance, FastifyPluginCallback } from 'fastify'
import { fastifyPlugin } from 'fastify-plugin'
import type { SettingBody } from './bodies/config.ts'
import { addBackendRoutes } from './routes/backends.ts'
import { addCallerRoute, type ServerFacts } from './routes/caller.ts'
import { addConfigRoutes, type SettingsChanger } from './routes/config.ts'
import { type ControlContext, keyNameOf } from './routes/control-context.ts'
import { addFeedRoute } from './routes/feed.ts'
import { addKeysRoute } from './routes/keys.ts'
import { addLineRoutes, lineBody } from './routes/line.ts'
import { addSeriesRoute } from './routes/series.ts'
import type { Series } from './series/series.ts'

/** For `controlRoutes`. */
export interface ControlRoutesOptions extends ServerFacts {
  /** The desk behind the server. */
  readonly dispatcher: Dispatcher
  /** Of the addresses, as Fastify's `register` takes it. Default: none. */
  readonly prefix?: string
  /** Hears of each action, with the name of the key. Default: silent. */
  readonly logger?: Logger
  /** The store of the tickets. Default: there are none. */
  readonly tickets?: TicketStore
  /** What `GET /config` shows, secrets masked; asked for at each request. Default: there is no such route. */
  readonly settings?: () => Promise<readonly SettingBody[]>
  /** What `GET /series` shows; its observer is the dispatcher's. It is closed with the server. Default: there is no such route. */
  readonly series?: Series
  /** Changes them, for `PATCH /config` and `GET /config/changes`. Default: they can only be read. */
  readonly changer?: SettingsChanger
  /** Milliseconds between two pings of the feed. Default 15,000. */
  readonly pingIntervalMs?: number
  /** Default: the system's. */
  readonly clock?: Clock
  /** Default: `Math.random`. */
  readonly random?: () => number
}

/**
 * The operator's API, for a server made by `createServer`: `server.register(controlRoutes, { dispatcher, … })`, before it
 * listens and behind the routes of tickets, where there are any.
 *
 * `GET /me`, `GET /line`, `DELETE /line/:hand`, `POST /backends/:name/pause`, `/resume` and `/probe`, `GET /feed`, `GET /keys`,
 * with `settings` `GET /config`, with `changer` `PATCH /config` and `GET /config/changes`, and with `series` `GET /series`. It
 * adds no power of its own: what it shows and does is the dispatcher's and the store's, and
 * who may ask is said by the scopes of the API keys. On a server without `keyNameOf` and `hasScope`,
 * everybody may do everything.
 */
export const controlRoutes: FastifyPluginCallback<ControlRoutesOptions> = fastifyPlugin(installControl, {
  name: '@ai-ticket/control',
  fastify: '5.x',
})

function installControl(instance: FastifyInstance, options: ControlRoutesOptions, done: () => void): void {
  const { dispatcher, worker, prefix = '', logger = silentLogger, clock = systemClock } = options
  const { random = Math.random, pingIntervalMs = 15_000, tickets: store } = options
  const startedAt = clock.wallTime()
  const context: ControlContext = {
    dispatcher,
    worker,
    logger,
    clock,
    nameOf: (request) => keyNameOf(instance, request),
  }
  instance.register(
    (scope, _options, added) => {
      addCallerRoute(scope, options, startedAt)
      addLineRoutes(scope, context)
      addBackendRoutes(scope, context)
      const feed = addFeedRoute(scope, {
        ...options,
        store,
        logger,
        clock,
        random,
        pingIntervalMs,
        line: () => lineBody(dispatcher, worker),
      })
      addKeysRoute(scope)
      const tell = (revision: string) => feed.tellConfig(revision)
      addConfigRoutes(scope, { ...options, ...context, tell })
      if (options.series !== undefined) addSeriesRoute(scope, context, options.series)
      added()
    },
    { prefix },
  )
  done()
}
