import type { BackendControl, BackendReport } from '@ai-ticket/core'
import type { FastifyInstance } from 'fastify'
import { type ControlContext, noteAction, problem } from './control-context.ts'
import { describedAs, OPERATE } from './described-as.ts'

/** What an operator may do with a backend. */
const ACTIONS = {
  pause: { described: 'postPause', act: (backend: BackendControl, by: string) => backend.pause(by) },
  resume: { described: 'postResume', act: (backend: BackendControl) => backend.resume() },
  probe: { described: 'postProbe', act: (backend: BackendControl) => backend.probe() },
} as const satisfies Record<string, Action>

interface Action {
  readonly described: string
  act(backend: BackendControl, by: string): BackendReport | Promise<BackendReport>
}

/** `POST /backends/:name/pause`, `/resume` and `/probe`. */
export function addBackendRoutes(instance: FastifyInstance, context: ControlContext): void {
  for (const [action, { described, act }] of Object.entries(ACTIONS)) {
    instance.post<{ readonly Params: { readonly name: string } }>(
      `/backends/:name/${action}`,
      { config: describedAs(described, OPERATE) },
      async (request, reply) => {
        const { name } = request.params
        const backend = context.dispatcher.backend(name)
        if (backend === undefined) throw unknownBackend(context)
        noteAction(context, request, { action, backend: name })
        const report = await act(backend, context.nameOf(request) ?? request.ip)
        reply.header('cache-control', 'no-store')
        return reply.send(report)
      },
    )
  }
}

const unknownBackend = ({ dispatcher }: ControlContext) =>
  problem(
    'not_found',
    `No backend has this name. Known: ${dispatcher
      .report()
      .backends.map(({ name }) => name)
      .join(', ')}.`,
  )
