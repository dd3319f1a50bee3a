import { createDispatcher, createOpenAIBackend, type EventInput, type MessageInput } from '@ai-ticket/core'
import { expect, test } from 'vitest'

interface Message {
  readonly role: string
  readonly content: unknown
}

/** A server whose template takes user and assistant in turn, and nothing else; with the models `strict` and `free`. */
async function openDesk(status: number, words: string) {
  const asked: Message[][] = []
  const isStrict = (model: string | undefined, messages: readonly Message[]) =>
    model === 'strict' &&
    messages.some(({ role }, index) => role !== (index % 2 === 0 ? 'user' : 'assistant'))
  const fetch = async (input: Request | URL | string, init?: RequestInit) => {
    const request = new Request(input, init)
    if (request.url.endsWith('/models')) return Response.json({ data: [{ id: 'strict' }, { id: 'free' }] })
    if (!request.url.endsWith('/chat/completions')) return new Response('', { status: 404 })
    const { model, messages } = (await request.json()) as { model?: string; messages: Message[] }
    asked.push(messages)
    if (isStrict(model, messages))
      return Response.json({ error: { message: words, code: status } }, { status })
    return Response.json({
      choices: [{ index: 0, message: { role: 'assistant', content: 'Fine.' }, finish_reason: 'stop' }],
      usage: { prompt_tokens: 9, completion_tokens: 2 },
    })
  }
  const backend = createOpenAIBackend({ url: 'http://127.0.0.1:9', fetch })
  return { asked, dispatcher: createDispatcher({ backends: [{ backend, concurrency: 4 }] }) }
}

test.each([
  [400, 'Conversation roles must alternate user/assistant/user/assistant/...'],
  [500, 'Jinja Exception: System role not supported'],
  [400, 'Error rendering prompt with jinja template: "System role not supported"'],
])('turns that a template refuses with %i %s are joined, and from then on at once', async (status, words) => {
  const { asked, dispatcher } = await openDesk(status, words)
  const event: EventInput = {
    model: 'strict',
    content: {
      messages: [
        { role: 'system', content: 'Be brief.' },
        { role: 'user', content: 'One.' },
        { role: 'user', content: 'Two.' },
      ],
    },
  }
  const outcome = await dispatcher.onEvent(event)
  expect(outcome).toMatchObject({ completion: 'Fine.', attempts: [{ result: 'completed' }] })
  expect(asked.map((messages) => messages.length)).toEqual([3, 1])
  expect(asked[1]).toEqual([{ role: 'user', content: 'Be brief.\n\nOne.\n\nTwo.' }])
  expect(await dispatcher.onEvent(event)).toHaveProperty('completion')
  expect(asked.map((messages) => messages.length)).toEqual([3, 1, 1])
  expect(await dispatcher.onEvent({ ...event, model: 'free' })).toHaveProperty('completion')
  expect(asked.at(-1)).toHaveLength(3)
  await dispatcher.close()
})

test('calls that are refused at the same time all learn of it', async () => {
  const { asked, dispatcher } = await openDesk(400, 'Conversation roles must alternate user/assistant/...')
  const event: EventInput = { model: 'strict', content: ['One.', 'Two.'] }
  const outcomes = await Promise.all([1, 2, 3, 4].map(() => dispatcher.onEvent(event)))
  expect(outcomes.map((outcome) => outcome.completion)).toEqual(['Fine.', 'Fine.', 'Fine.', 'Fine.'])
  expect(asked.filter((messages) => messages.length === 2).length).toBeGreaterThan(1)
  await dispatcher.close()
})

test('a conversation with nothing to join is refused after one call', async () => {
  const { asked, dispatcher } = await openDesk(400, 'Conversation roles must alternate user/assistant/...')
  const messages: MessageInput[] = [
    { role: 'assistant', content: 'Hello.' },
    { role: 'user', content: 'Hi.' },
  ]
  const outcome = await dispatcher.onEvent({ model: 'strict', content: { messages } })
  expect(outcome).toMatchObject({ error: 'api_client_error' })
  expect(asked).toHaveLength(1)
  await dispatcher.close()
})

/** A server that refuses what holds a certain word, with the words of `refusal`. */
async function openPickyDesk(refusal: (body: string) => string | undefined) {
  const asked: Record<string, unknown>[] = []
  const fetch = async (input: Request | URL | string, init?: RequestInit) => {
    const request = new Request(input, init)
    if (request.url.endsWith('/models')) return Response.json({ data: [{ id: 'm' }] })
    if (!request.url.endsWith('/chat/completions')) return new Response('', { status: 404 })
    const body = await request.text()
    asked.push(JSON.parse(body))
    const message = refusal(body)
    if (message !== undefined) return Response.json({ error: { message } }, { status: 400 })
    return Response.json({ choices: [{ message: { content: 'Fine.' }, finish_reason: 'stop' }] })
  }
  return {
    asked,
    dispatcher: createDispatcher({ backends: [createOpenAIBackend({ url: 'http://127.0.0.1:9', fetch })] }),
  }
}

test('a refusal that only repeats what its caller wrote teaches nothing', async () => {
  const { asked, dispatcher } = await openPickyDesk((body) =>
    body.includes('include_usage is') ? `Cannot read this: ${body}` : undefined,
  )
  const words = 'stream_options, include_usage is refused; use max_completion_tokens; roles must alternate'
  const ask = async (first: string) => {
    for await (const event of dispatcher.streamEvent({ content: [first, 'Two.'] })) {
      if (event.type === 'done' || event.type === 'error') return event.outcome
    }
    return undefined
  }
  expect(await ask(words)).toMatchObject({ error: 'api_client_error' })
  expect(await ask('One.')).toMatchObject({ completion: 'Fine.' })
  expect(asked.at(-1)).toMatchObject({
    messages: [{ content: 'One.' }, { content: 'Two.' }],
    stream_options: { include_usage: true },
    max_tokens: expect.any(Number),
  })
  await dispatcher.close()
})

test('a server that wants now one word for an option and now the other is not asked for ever', async () => {
  const { asked, dispatcher } = await openPickyDesk((body) =>
    body.includes('"top_k":-1') ? 'top_k must be non-negative' : 'top_k must be -1 (disable), or at least 1',
  )
  const event = { content: 'One.', parameters: { top_k: 0 } }
  expect(await dispatcher.onEvent(event)).toMatchObject({ error: 'api_client_error' })
  expect(asked.length).toBeLessThan(4)
  await dispatcher.close()
})
