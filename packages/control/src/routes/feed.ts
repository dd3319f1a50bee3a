import { openEventStream } from '@ai-ticket/http-server'
import { readTicketQuery } from '@ai-ticket/tickets/fastify'
import type { FastifyInstance } from 'fastify'
import { Feed, type FeedOptions } from '../feed/feed.ts'
import { FEED_PARTS, type FeedPart } from '../feed/feed-reader.ts'
import { problem } from './control-context.ts'
import { describedAs, READ } from './described-as.ts'

/** `GET /feed`: what changes, as server-sent events. */
export function addFeedRoute(
  instance: FastifyInstance,
  options: FeedOptions & { readonly pingIntervalMs: number },
): Pick<Feed, 'tellConfig'> {
  const feed = new Feed(options)
  const closing = new AbortController()
  // Before the server waits for its answers to end.
  instance.addHook('preClose', (closed) => {
    closing.abort()
    feed.close()
    closed()
  })
  instance.get<{ readonly Querystring: Readonly<Record<string, unknown>> }>(
    '/feed',
    { config: describedAs('getFeed', READ) },
    async (request, reply) => {
      const { only, ...filters } = request.query
      const parts = readParts(only)
      const { limit: _limit, cursor: _cursor, ...query } = readTicketQuery(filters)
      const given = request.headers['last-event-id']
      const lastEventId = typeof given === 'string' && given !== '' ? given : undefined
      const stream = openEventStream(reply, options)
      const isFiltered = Object.keys(query).length > 0
      const joining = feed.join({ parts, query, isFiltered, lastEventId, write: stream.write })
      const leave = await joining.catch((error: unknown) => {
        options.logger.error('feed failed', { request_id: request.id, error })
        // Its head is out: nobody else ends this reply.
        stream.release()
        stream.breakOff('')
      })
      if (leave === undefined) return
      const end = () => {
        leave()
        stream.release()
        stream.end()
      }
      if (closing.signal.aborted || reply.raw.destroyed) return end()
      closing.signal.addEventListener('abort', end, { once: true })
      reply.raw.once('close', () => {
        closing.signal.removeEventListener('abort', end)
        leave()
        stream.release()
      })
    },
  )
  return feed
}

/** Throws a `RequestProblem`. */
function readParts(only: unknown): ReadonlySet<FeedPart> {
  if (only === undefined) return new Set(FEED_PARTS)
  const names = String(only).split(',')
  const parts = names.flatMap((name) => FEED_PARTS.find((part) => part === name.trim()) ?? [])
  if (parts.length === names.length) return new Set(parts)
  throw problem('invalid_input_format', `\`only\` is one or more of ${FEED_PARTS.join(', ')}.`)
}
