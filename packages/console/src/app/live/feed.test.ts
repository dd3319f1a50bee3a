import { expect, test } from 'vitest'
import type { Answer, Problem } from '../api/client.ts'
import { type FeedNews, followFeed } from './feed.ts'

interface Asked {
  readonly path: string
  readonly lastEventId: string | undefined
}

const frame = (id: string, event: string, data: unknown) =>
  `id: ${id}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`

const streamOf = (text: string): Answer<ReadableStream<Uint8Array>> => ({
  ok: true,
  status: 200,
  value: new Blob([text]).stream(),
})

const refusal = (problem: Partial<Problem>): Answer<never> => ({
  ok: false,
  problem: { status: 0, code: 'unreachable', details: 'x', ...problem },
})

/** Plays these connections one after the other, then stops. */
async function follow(connections: readonly Answer<ReadableStream<Uint8Array>>[], query = '') {
  const stop = new AbortController()
  const asked: Asked[] = []
  const heard: FeedNews[] = []
  const pauses: number[] = []
  const last = await followFeed({
    signal: stop.signal,
    query,
    lastEventId: undefined,
    hear: (news) => void heard.push(news),
    async open(path, { headers }) {
      asked.push({ path, lastEventId: headers?.['last-event-id'] })
      return connections[asked.length - 1] ?? refusal({})
    },
    async pause(ms) {
      pauses.push(ms)
      if (pauses.length >= connections.length) stop.abort()
    },
  })
  return { last, asked, heard, pauses }
}

test('tells events by name, and goes on after the last one, with the same filters', async () => {
  const { asked, heard, last } = await follow(
    [
      streamOf(
        `${frame('a-1', 'hello', { resumed: false })}:ping\n\n${frame('a-2', 'more', { count: 3 })}${frame('a-2', 'later', {})}`,
      ),
      streamOf(frame('a-3', 'gap', {})),
    ],
    '?status=failed',
  )
  const [alive, ...news] = heard.toSorted((one) => (one.kind === 'alive' ? -1 : 0))
  expect(alive?.kind).toBe('alive')
  expect(news.map(({ kind }) => kind)).toEqual(['hello', 'more', 'lost', 'gap', 'lost'])
  expect(news[1]).toEqual({ kind: 'more', data: { count: 3 } })
  expect(asked).toEqual([
    { path: 'feed?status=failed', lastEventId: undefined },
    { path: 'feed?status=failed', lastEventId: 'a-2' },
  ])
  expect(last).toBe('a-3')
})

test('tries at most once a second, less often while nobody answers, and as late as it is told', async () => {
  const hello = streamOf(frame('a-1', 'hello', {}))
  const { pauses } = await follow([
    ...[refusal({}), refusal({}), refusal({}), refusal({ status: 503 })],
    ...[refusal({ status: 429, retryAfterMs: 9_000 }), hello, refusal({})],
  ])
  expect(pauses).toEqual([1_000, 2_000, 4_000, 5_000, 9_000, 1_000, 2_000])
})

test.each([400, 401, 403])('a refusal with status %s ends it', async (status) => {
  const { heard, pauses } = await follow([refusal({ status })])
  expect(heard).toMatchObject([{ kind: 'refused', problem: { status } }])
  expect(pauses).toEqual([])
})
