import { type KoboldFault, startKoboldSimulator } from '@ai-ticket/testkit'
import { koboldHandlers } from '@ai-ticket/testkit/msw'
import { setupServer } from 'msw/node'
import { expect, test } from 'vitest'
import { clientOf } from './kobold-client.ts'

const faults: readonly (KoboldFault | undefined)[] = [
  undefined,
  { fault: 'status', status: 429, retryAfter: '7' },
  { fault: 'busy' },
  { fault: 'rate_limited' },
  { fault: 'bad_input' },
  { fault: 'context_length' },
  { fault: 'not_json' },
  { fault: 'wrong_shape' },
  { fault: 'empty_choices' },
  { fault: 'error_in_200' },
  { fault: 'empty_text' },
  { fault: 'no_model' },
]

/** Ids and seconds differ from call to call. */
function steady(text: string): string {
  return text.replaceAll(/cmpl-A\d+/g, 'cmpl-A').replaceAll(/"created": \d+/g, '"created": 0')
}

const url = 'http://kobold.test:5001'

test.for(faults)('%o: msw handlers answer as the simulator does', async (fault) => {
  const script = fault === undefined ? [] : [fault]
  await using simulator = await startKoboldSimulator({
    tokensPerSecond: Number.POSITIVE_INFINITY,
    faults: script,
  })
  const real = clientOf(simulator)
  const ask = async ({ chat }: typeof real) => {
    const replies = [await chat(), await chat({ stream: true })]
    return replies.map(({ status, headers, text }) => [
      status,
      headers.get('content-type'),
      headers.get('retry-after'),
      steady(text),
    ])
  }
  const expected = await ask(real)
  const server = setupServer(...koboldHandlers({ url, script }))
  server.listen({ onUnhandledFrame: 'error' })
  try {
    expect(await ask(clientOf({ url }))).toEqual(expected)
  } finally {
    server.close()
  }
})

test.for<KoboldFault>([{ fault: 'refuse' }, { fault: 'reset' }, { fault: 'empty_reply' }])(
  '%o is a failed fetch in msw',
  async (fault) => {
    const server = setupServer(...koboldHandlers({ url, script: [fault] }))
    server.listen()
    try {
      await expect(clientOf({ url }).chat()).rejects.toThrow(TypeError)
    } finally {
      server.close()
    }
  },
)
