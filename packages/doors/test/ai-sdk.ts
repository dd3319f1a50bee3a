import { jsonSchema, tool } from 'ai'

// It warns of every model that it does not know.
Object.assign(globalThis, { AI_SDK_LOG_WARNINGS: false })

/** Errors are looked for in the stream, not on the terminal. */
export const onError = () => {}

export const AT_ONCE = { tokensPerSecond: Number.POSITIVE_INFINITY }

/** A call of `weather`, as a backend tells it. */
export const CALL = {
  id: 'call_1',
  type: 'function',
  function: { name: 'weather', arguments: '{"city":"Graz"}' },
}

export const CITY = jsonSchema<{ city: string }>({
  type: 'object',
  properties: { city: { type: 'string' } },
  required: ['city'],
  additionalProperties: false,
})

export const weather = tool({
  description: 'The weather now',
  inputSchema: CITY,
  execute: async ({ city }) => `Sun in ${city}`,
})

export async function collect<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const list: Item[] = []
  for await (const item of items) list.push(item)
  return list
}
