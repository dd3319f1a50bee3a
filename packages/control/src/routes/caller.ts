import type { Scope } from '@ai-ticket/http-server'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { CallerBody } from '../bodies/caller.ts'
import { keyNameOf, may } from './control-context.ts'
import { describedAs, SEE } from './described-as.ts'

/** What this server is, as far as its callers may know. */
export interface ServerFacts extends Pick<CallerBody, 'version' | 'worker' | 'store'> {
  /** What is kept of events that are answered at once. A function is asked at each request. */
  readonly history: CallerBody['history'] | (() => CallerBody['history'])
  /** Whether events may name a `callback_url`. */
  readonly takesCallbacks: boolean
}

const ALL: readonly Scope[] = ['events', 'read', 'admin']

/** `GET /me`: for every key, so that a page knows what to offer before it is refused. */
export function addCallerRoute(instance: FastifyInstance, facts: ServerFacts, startedAt: number): void {
  const { version, worker, store, history, takesCallbacks } = facts
  instance.get('/me', { config: describedAs('getCaller', SEE) }, (request, reply) => {
    const name = keyNameOf(instance, request)
    const body: CallerBody = {
      object: 'caller',
      name: name ?? null,
      scopes: scopesOf(instance, request),
      // Where keys are wanted, nobody comes here without one.
      keys: name !== undefined,
      version,
      worker,
      started_at: new Date(startedAt).toISOString(),
      store,
      history: typeof history === 'function' ? history() : history,
      callbacks: takesCallbacks,
    }
    reply.header('cache-control', 'no-store')
    return reply.send(body)
  })
}

const scopesOf = (instance: FastifyInstance, request: FastifyRequest): Scope[] =>
  ALL.filter((scope) => may(instance, request, scope))
