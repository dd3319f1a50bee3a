import { createDispatcher, createKoboldBackend, type EventInput } from '@ai-ticket/core'
import { startKoboldSimulator } from '@ai-ticket/testkit'
import { expect, test } from 'vitest'
import { openDesk } from './open-desk.ts'

const IMAGE: EventInput = {
  content: [
    { type: 'text', text: 'What is this?' },
    { type: 'image_url', image_url: { url: 'data:image/png;base64,iVBORw0KGgo=' } },
  ],
}

/** A desk of one box for each entry; `true`: its model takes images. */
const deskOf = (...boxes: readonly boolean[]) =>
  openDesk(boxes.map((vision) => ({ vision, tokensPerSecond: Number.POSITIVE_INFINITY })))

test('an image that nobody would look at is refused, and costs no generation', async () => {
  await using desk = await deskOf(false)
  const outcome = await desk.dispatcher.onEvent(IMAGE)
  expect(outcome).toMatchObject({ error: 'invalid_input_format', attempts: [] })
  expect(outcome).toHaveProperty('details', expect.stringMatching(/image.*b1.*--mmproj/))
  expect(desk.simulators[0].calls).toHaveLength(0)
})

test('an image goes to the box that can see', async () => {
  await using desk = await deskOf(false, true, false)
  for (let event = 0; event < 3; event++) {
    expect(await desk.dispatcher.onEvent(IMAGE)).toMatchObject({ backend: 'b2', endpoint: 'chat' })
  }
})

test('a box that is named and cannot see is refused though another could', async () => {
  await using desk = await deskOf(false, true)
  const outcome = await desk.dispatcher.onEvent({ ...IMAGE, backend: 'b1' })
  expect(outcome).toMatchObject({ error: 'invalid_input_format' })
  expect(outcome).toHaveProperty('details', expect.not.stringContaining('b2'))
})

test('text in parts goes to any box', async () => {
  await using desk = await deskOf(false)
  const outcome = await desk.dispatcher.onEvent({ content: [{ type: 'text', text: 'Say hello.' }] })
  expect(outcome).toHaveProperty('completion')
})

test('a model with a projector, loaded behind the same port, is seen', async () => {
  const blind = await startKoboldSimulator({ vision: false })
  await using dispatcher = createDispatcher({
    backends: [createKoboldBackend({ url: blind.url })],
    probeIntervalMs: 1,
  })
  expect(await dispatcher.onEvent(IMAGE)).toMatchObject({ error: 'invalid_input_format' })
  await blind.close()
  const seeing = await startKoboldSimulator({ vision: true, port: Number(new URL(blind.url).port) })
  await expect.poll(() => dispatcher.onEvent(IMAGE)).toHaveProperty('completion')
  await dispatcher.close()
  await seeing.close()
})
