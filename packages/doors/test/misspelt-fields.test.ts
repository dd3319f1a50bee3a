import { expect, test } from 'vitest'
import { anthropicDoor, koboldDoor, responsesDoor } from '../src/index.ts'
import { openDoor } from './open-door.ts'

const HELLO = [{ role: 'user', content: 'Hello' }]

test.each([
  [
    'anthropic',
    anthropicDoor,
    '/v1/messages',
    { messages: HELLO, max_tokens: 5 },
    'stop_sequence',
    'stop_sequences',
  ],
  ['responses', responsesDoor, '/v1/responses', { input: 'Hello' }, 'max_ouput_tokens', 'max_output_tokens'],
  ['kobold', koboldDoor, '/api/v1/generate', { prompt: 'Once' }, 'max_lenght', 'max_length'],
  ['kobold', koboldDoor, '/api/extra/generate/stream', { prompt: 'Once' }, 'temprature', 'temperature'],
])('%s: the log says which field is misspelt', async (name, door, path, body, misspelt, meant) => {
  const lines: object[] = []
  const log = (details: string, fields: object = {}) => void lines.push({ details, ...fields })
  await using desk = await openDoor(door, {
    simulator: { tokensPerSecond: Number.POSITIVE_INFINITY },
    dispatcher: { logger: { debug() {}, info() {}, warn: log, error: log } },
  })
  const ask = async (more: object) => {
    const reply = await fetch(desk.url + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ ...body, ...more }),
    })
    expect([reply.status, await reply.text()]).toEqual([200, expect.any(String)])
  }
  await ask({ nobody_knows_this: true })
  expect(lines).toEqual([])
  await ask({ [misspelt]: 5 })
  expect(lines).toMatchObject([
    { details: `\`${misspelt}\` is ignored. Did you mean \`${meant}\`?`, field: misspelt, door: name },
  ])
})
