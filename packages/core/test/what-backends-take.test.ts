import { type Backend, type ContentPartInput, createDispatcher, type Endpoint } from '@ai-ticket/core'
import { expect, test } from 'vitest'

function backend(name: string, ...endpoints: Partial<Endpoint>[]): Backend {
  const plain = { name: 'text', turns: false, images: false, tools: false, schema: false } as const
  return {
    name,
    endpoints: endpoints.map((more) => ({ ...plain, ...more })),
    async *generate() {
      yield { type: 'end', text: 'Hi.', finish_reason: 'stop', raw_finish_reason: 'stop' }
    },
    probe: async () => ({ models: [name] }),
    close: async () => {},
  }
}

const IMAGE: ContentPartInput[] = [
  { type: 'text', text: 'What?' },
  { type: 'image_url', image_url: { url: 'data:image/png;base64,AA==' } },
]
const TOOLS = [{ type: 'function', function: { name: 'now' } }]

test('a refusal says what of the event each backend does not take', async () => {
  const backends = [
    backend('small', {}),
    backend('eyes', { images: true }),
    backend('split', { images: true }, { name: 'chat', tools: true }),
  ]
  await using dispatcher = createDispatcher({ backends })
  const content = { messages: [{ role: 'user' as const, content: IMAGE }], tools: TOOLS }
  expect(await dispatcher.onEvent({ content })).toMatchObject({
    error: 'api_client_error',
    details: expect.stringContaining(
      'small takes no images and no tools; eyes takes no tools; split does not take images and tools at one endpoint.',
    ),
  })
})

test('and nothing of what the event does not hold', async () => {
  await using dispatcher = createDispatcher({ backends: [backend('small', {})] })
  const [images, tools] = await Promise.all([
    dispatcher.onEvent({ content: IMAGE }),
    dispatcher.onEvent({ content: 'Hi', parameters: { tools: TOOLS } }),
  ])
  const detailsOf = (outcome: object) => String('details' in outcome && outcome.details)
  expect(detailsOf(images)).toMatch(/small takes no images\./)
  expect(detailsOf(tools)).toMatch(/small takes no tools\./)
})
