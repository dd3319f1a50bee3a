import { createDispatcher, createKoboldBackend, type Outcome } from '@ai-ticket/core'
import { type KoboldSimulator, startKoboldSimulator } from '@ai-ticket/testkit'
import { expect, test } from 'vitest'
import { openServer } from './open-server.ts'

type Turns = readonly { role: string; content: unknown }[]

const user = (content: unknown) => ({ role: 'user', content })
const system = { role: 'system', content: 'Be brief.' }
const assistant = { role: 'assistant', content: 'A lamb.' }

/** What the backend gets for each form, or the code that refuses it. */
const FORMS: readonly [name: string, event: unknown, expected: Turns | string][] = [
  ['a string', { content: 'Hello' }, [user('Hello')]],
  ['a JSON string', { content: '"Hello"' }, [user('Hello')]],
  ['a JSON number', { content: '42' }, [user('42')]],
  ['a JSON object with a prompt', { content: '{"prompt":"Hello"}' }, [user('Hello')]],
  ['a fenced JSON object', { content: '```json\n{"prompt":"Hello"}\n```' }, [user('Hello')]],
  [
    'a fenced list of messages',
    { content: '```\n[{"role":"user","content":"Hello"}]\n```' },
    [user('Hello')],
  ],
  ['an object with a prompt', { content: { prompt: 'Hello' } }, [user('Hello')]],
  [
    'messages',
    { content: { messages: [system, user('Who?'), assistant, user('Why?')] } },
    [system, user('Who?'), assistant, user('Why?')],
  ],
  ['a list of messages', { content: [system, user('Who?')] }, [system, user('Who?')]],
  ['a list of strings', { content: ['One', 'Two'] }, [user('One'), user('Two')]],
  [
    'content parts',
    {
      content: [
        user([
          { type: 'text', text: 'One' },
          { type: 'text', text: 'Two' },
        ]),
      ],
    },
    [user('One\nTwo')],
  ],
  ['an object with neither', { content: { order: 7 } }, [user('{"order":7}')]],
  ['parameters inside content', { content: { prompt: 'Hello', max_tokens: 3 } }, [user('Hello')]],
  ['no content', {}, 'missing_content_field'],
  ['null content', { content: null }, 'missing_content_field'],
  ['a number as content', { content: 5 }, 'invalid_input_format'],
  ['no object', ['Hello'], 'invalid_input_format'],
  ['strings mixed with messages', { content: ['One', user('Two')] }, 'invalid_input_format'],
  ['a wrong parameter', { content: 'Hello', parameters: { max_tokens: 0 } }, 'invalid_input_format'],
  ['a wrong type', { content: 'Hello', priority: 'high' }, 'invalid_input_format'],
  ['white space', { content: ' \n' }, 'prompt_extraction_failed'],
  ['no user turn', { content: [system] }, 'prompt_extraction_failed'],
]

/** Chance and time differ between two runs; everything else is the same. */
function comparable(outcome: Outcome) {
  const { duration_ms, attempts, id, ...rest } = outcome
  return { ...rest, hasId: /^evt_[0-9a-f-]{36}$/.test(id), attempts: attempts.map(({ result }) => result) }
}

test.each(FORMS)('%s: the same outcome in process and over HTTP', async (_name, event, expected) => {
  await using simulator = await startKoboldSimulator({ tokensPerSecond: Number.POSITIVE_INFINITY })
  await using dispatcher = createDispatcher({ backends: [createKoboldBackend({ url: simulator.url })] })
  await using server = await openServer({ dispatcher })
  const inProcess = await dispatcher.onEvent(event)
  const response = await fetch(`${server.url}/event`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(event),
  })
  const overHttp = (await response.json()) as Outcome
  expect(comparable(overHttp)).toEqual(comparable(inProcess))
  if (typeof expected === 'string') {
    expect(inProcess).toMatchObject({ error: expected })
    expect(response.ok).toBe(false)
    expect(simulator.calls).toHaveLength(0)
  } else {
    expect(response.status).toBe(200)
    expect(sentTurns(simulator)).toEqual([expected, expected])
  }
})

const sentTurns = ({ calls }: KoboldSimulator) =>
  calls.map(({ body }) => (body as { messages?: unknown }).messages)
