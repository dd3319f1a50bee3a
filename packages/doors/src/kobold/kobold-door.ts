import type { FastifyPluginCallback } from 'fastify'
import { fastifyPlugin } from 'fastify-plugin'
import { addInfoRoutes } from './info-routes.ts'
import { koboldDialect } from './kobold-dialect.ts'

/**
 * KoboldCPP's API, for a server made by `createServer`: `server.register(koboldDoor)`. Its clients (SillyTavern, Kobold
 * Lite, RisuAI, Agnai, the worker of AI Horde) find all backends behind it as one server.
 */
export const koboldDoor: FastifyPluginCallback = fastifyPlugin(
  (instance, _options, done) => {
    instance.addDialect(koboldDialect)
    addInfoRoutes(instance)
    done()
  },
  { name: '@ai-ticket/doors/kobold', fastify: '5.x' },
)
