import {
  type AnnouncedCall,
  type Backend,
  createDispatcher,
  createKoboldBackend,
  inspectEvent,
} from '@ai-ticket/core'
import { createVirtualClock } from '@ai-ticket/testkit'
import { expect, it } from 'vitest'
import { openDesk } from './open-desk.ts'

const LONG = { answer: () => 'one two three four five '.repeat(200), tokensPerSecond: 50 }

it('announces a call before it is sent', async () => {
  await using desk = await openDesk([{}])
  const [simulator] = desk.simulators
  const announced: { call: AnnouncedCall; sent: number }[] = []
  const outcome = await desk.dispatcher.onEvent(
    { content: 'Hi' },
    { beforeCall: (call) => void announced.push({ call, sent: simulator.calls.length }) },
  )
  expect(outcome).toHaveProperty('completion')
  const key = simulator.calls[0]?.genkey
  expect(announced).toEqual([{ call: { backend: 'b1', endpoint: 'chat', key }, sent: 0 }])
})

it('sends nothing that could not be written down, and goes on with the next event', async () => {
  await using desk = await openDesk([{}])
  const { dispatcher } = desk
  const beforeCall = () => Promise.reject(new Error('disk full'))
  const outcome = await dispatcher.onEvent({ content: 'Hi' }, { beforeCall })
  expect(outcome).toMatchObject({ error: 'store_unavailable', attempts: [] })
  expect(desk.simulators[0].calls).toHaveLength(0)
  expect(await dispatcher.onEvent({ content: 'Hi' })).toHaveProperty('completion')
})

it('stops the generation of another desk by its key', async () => {
  await using dead = await openDesk([LONG])
  const [simulator] = dead.simulators
  let announced: AnnouncedCall | undefined
  const running = dead.dispatcher.onEvent(
    { content: 'Count.', parameters: { max_tokens: 900 } },
    {
      beforeCall: (call) => {
        announced ??= call
      },
    },
  )
  await simulator.waitFor(({ generating }) => generating)
  if (announced === undefined) throw new Error('nothing was announced')
  await dead.dispatcher.abandon(announced)
  expect(simulator.calls[0]).toMatchObject({ genkey: announced.key, state: 'aborted' })
  expect(simulator.aborts[0]?.genkey).toBe(announced.key)
  await dead.dispatcher.close()
  await running
})

it('has nothing to do for a backend that is unknown or gone', async () => {
  await using desk = await openDesk([{}])
  await desk.dispatcher.abandon({ backend: 'b9', key: 'k' })
  await desk.simulators[0].stopListening()
  await desk.dispatcher.abandon({ backend: 'b1', key: 'k' })
})

it('gives up on a generation that does not stop, after 20 s', async () => {
  const clock = createVirtualClock()
  const stuck: Backend = {
    ...createKoboldBackend({ url: 'http://127.0.0.1:9' }),
    abandon: () => new Promise(() => {}),
  }
  await using dispatcher = createDispatcher({ backends: [stuck], clock })
  let isOver = false
  const abandoned = dispatcher.abandon({ backend: stuck.name, key: 'k' }).then(() => {
    isOver = true
  })
  await clock.advance(19_999)
  expect(isOver).toBe(false)
  await clock.advance(1)
  await abandoned
  expect(clock.pending).toBe(0)
  const control = new AbortController()
  const left = dispatcher.abandon({ backend: stuck.name, key: 'k' }, control.signal)
  control.abort(new Error('closing'))
  await expect(left).rejects.toThrow('closing')
})

it('counts the slots that an event would get at once', async () => {
  await using desk = await openDesk([LONG])
  const { dispatcher } = desk
  expect(dispatcher.freeSlots()).toEqual([{ backend: 'b1', free: 1, concurrency: 1 }])
  const control = new AbortController()
  const running = dispatcher.onEvent({ content: 'Count.' }, { signal: control.signal })
  await desk.simulators[0].waitForCall()
  expect(dispatcher.freeSlots()).toEqual([{ backend: 'b1', free: 0, concurrency: 1 }])
  control.abort(new Error('enough'))
  await expect(running).rejects.toThrow('enough')
})

it('inspects an event without running it', () => {
  expect(inspectEvent({ content: 'Hi', id: 'e', backend: 'b1', priority: 3 })).toEqual({
    ok: true,
    value: { id: 'e', backend: 'b1', priority: 3, turns: [{ role: 'user', content: 'Hi' }] },
  })
  const lone = { content: { messages: [{ role: 'system', content: 'Greet.' }] } }
  expect(inspectEvent(lone)).toMatchObject({ failure: { code: 'prompt_extraction_failed' } })
  expect(inspectEvent(lone, { takesAnyTurn: true })).toMatchObject({
    value: { turns: [{ role: 'system', content: 'Greet.' }] },
  })
  expect(inspectEvent({ content: '  ' })).toMatchObject({
    ok: false,
    failure: { code: 'prompt_extraction_failed' },
  })
  expect(inspectEvent({})).toMatchObject({ failure: { code: 'missing_content_field' } })
})
