import type { FastifyInstance, FastifyPluginCallback } from 'fastify'
import { fastifyPlugin } from 'fastify-plugin'
import { acceptAnyBody } from './any-body.ts'
import { callerIn } from './caller.ts'
import { addGenerateRoutes } from './generate-routes.ts'
import { Genkeys, genkeyIn } from './genkeys.ts'
import { addInfoRoutes } from './info-routes.ts'
import { koboldDialect } from './kobold-dialect.ts'
import { PerfBook } from './perf-book.ts'
import { addSideRoutes } from './side-routes.ts'

/**
 * KoboldCPP's API, for a server made by `createServer`: `server.register(koboldDoor)`. Its clients (SillyTavern, Kobold
 * Lite, RisuAI, Agnai, the worker of AI Horde) find all backends behind it as one server: generate, stream, check, abort,
 * perf, token count, and what they read before. Requests below `/v1` that have a `genkey` can be aborted, too.
 *
 * A genkey belongs to its caller, which is an API key and an address together. Not covered: images, speech, embeddings,
 * web search, saved data, administration.
 */
export const koboldDoor: FastifyPluginCallback = fastifyPlugin(
  (instance, _options, done) => {
    const { clock } = instance.desk
    const books = { genkeys: new Genkeys(clock), perf: new PerfBook(clock) }
    instance.addDialect(koboldDialect)
    followCompletions(instance, books.genkeys)
    instance.register((scope, _scopeOptions, added) => {
      acceptAnyBody(scope)
      addInfoRoutes(scope)
      addGenerateRoutes(scope, books)
      addSideRoutes(scope, books)
      added()
    })
    done()
  },
  { name: '@ai-ticket/doors/kobold', fastify: '5.x' },
)

/** Clients of KoboldCPP generate here, too, and abort at the Kobold address. Only of a text is one without a key theirs. */
const COMPLETIONS: ReadonlyMap<string, { readonly stopsWithoutKey: boolean }> = new Map([
  ['/v1/completions', { stopsWithoutKey: true }],
  ['/v1/chat/completions', { stopsWithoutKey: false }],
])

function followCompletions(instance: FastifyInstance, genkeys: Genkeys): void {
  instance.addHook('preHandler', (request, reply, next) => {
    const how = COMPLETIONS.get(request.routeOptions.url ?? '')
    if (how === undefined) return next()
    const genkey = genkeyIn(request.body)
    const generation = genkeys.begin(callerIn(request), { ...how, genkey })
    // Most chats have no key, so nothing here can stop them, and following a second signal is expensive.
    if (genkey !== undefined || how.stopsWithoutKey) request.cancelSignal = generation.signal
    reply.raw.once('close', () => generation.end())
    next()
  })
}
