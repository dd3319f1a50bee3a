import { expect, test } from 'vitest'
import { openAttackedServer } from './standstill/attacked-server.ts'
import { ATTACKS } from './standstill/attacks.ts'

/** The event loop may stand still for less, beyond what a server beside it that does nothing does. */
const MOST_PAUSE_MS = 1_000
/** All that the process may have resident, with a heap of 512 MB: what a container of 1 GB has. */
const MOST_MIB = 1_000

const timeout = process.env.AI_TICKET_LONG === '1' ? 600_000 : 120_000

// AI_TICKET_LONG=1: more bodies, each through every door, 2,000 watchers, 200 readers, larger texts.
test('no request takes the server away from the others, and none its memory', {
  timeout,
}, async () => {
  await using server = await openAttackedServer()
  const event = () => server.post('/event', '{"content":"Hello?"}')
  expect(await event()).toBe(200)
  await server.pauseMs()
  const found = []
  for (const { name, run } of ATTACKS) {
    await run(server)
    expect(await event(), `an event after: ${name}`).toBe(200)
    const pauseMs = await server.pauseMs()
    found.push({ name, pauseMs, peakMiB: await server.peakMiB() })
    process.stdout.write(`${pauseMs} ms, ${found.at(-1)?.peakMiB ?? '?'} MiB: ${name}\n`)
  }
  expect(found.filter(({ pauseMs }) => pauseMs >= MOST_PAUSE_MS)).toEqual([])
  expect(found.filter(({ peakMiB = 0 }) => peakMiB > MOST_MIB)).toEqual([])
})
