import { type Clock, systemClock } from '@ai-ticket/core'
import type { FastifyInstance, FastifyPluginCallback } from 'fastify'
import { fastifyPlugin } from 'fastify-plugin'
import { addCallerRoute, type ServerFacts } from './routes/caller.ts'

/** For `controlRoutes`. */
export interface ControlRoutesOptions extends ServerFacts {
  /** Of the addresses, as Fastify's `register` takes it. Default: none. */
  readonly prefix?: string
  /** Default: the system's. */
  readonly clock?: Clock
}

/**
 * The operator's API, for a server made by `createServer`: `server.register(controlRoutes, { … })`, before it listens.
 *
 * `GET /me`. It adds no power of its own: what it shows and does is the dispatcher's and the store's, and who may ask is
 * said by the scopes of the API keys. On a server without `keyNameOf` and `hasScope`, everybody may do everything.
 */
export const controlRoutes: FastifyPluginCallback<ControlRoutesOptions> = fastifyPlugin(installControl, {
  name: '@ai-ticket/control',
  fastify: '5.x',
})

function installControl(instance: FastifyInstance, options: ControlRoutesOptions, done: () => void): void {
  const { prefix = '', clock = systemClock } = options
  const startedAt = clock.wallTime()
  instance.register(
    (scope, _options, added) => {
      addCallerRoute(scope, options, startedAt)
      added()
    },
    { prefix },
  )
  done()
}
