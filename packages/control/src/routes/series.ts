import { readTime } from '@ai-ticket/tickets/fastify'
import type { FastifyInstance } from 'fastify'
import type { SeriesBody } from '../bodies/series.ts'
import type { Series } from '../series/series.ts'
import { type ControlContext, problem } from './control-context.ts'
import { describedAs, READ } from './described-as.ts'

/** `GET /series`: what this server counted over time. */
export function addSeriesRoute(
  instance: FastifyInstance,
  { dispatcher, worker }: ControlContext,
  series: Series,
): void {
  instance.addHook('onReady', (begun) => {
    series.begin(dispatcher)
    begun()
  })
  instance.addHook('onClose', () => series.close())
  instance.get<{ readonly Querystring: Readonly<Record<string, unknown>> }>(
    '/series',
    { config: describedAs('getSeries', READ) },
    async (request, reply) => {
      const { from, to, step, ...more } = request.query
      const [unknown] = Object.keys(more)
      if (unknown !== undefined)
        throw problem('invalid_input_format', `There is no \`${unknown}\` here. Known: from, to, step.`)
      const [fromMs, toMs] = [readTime('from', from), readTime('to', to)]
      const read = await series.read({
        ...(fromMs !== undefined && { from: fromMs }),
        ...(toMs !== undefined && { to: toMs }),
        ...(step !== undefined && { stepMs: Number(step) * 1_000 }),
      })
      if (typeof read === 'string') throw problem('invalid_input_format', read)
      const { object, ...rest } = read
      const body: SeriesBody = { object, worker, ...rest }
      reply.header('cache-control', 'no-store')
      return reply.send(body)
    },
  )
}
