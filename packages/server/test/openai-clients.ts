import OpenAI from 'openai'

export const AT_ONCE = { tokensPerSecond: Number.POSITIVE_INFINITY }
export const SLOW = { tokensPerSecond: 20, answer: () => 'word '.repeat(400) }
export const HELLO = [{ role: 'user', content: 'Hello' }] satisfies OpenAI.ChatCompletionMessageParam[]
export const HI = { model: 'any', messages: HELLO, max_tokens: 400 }

/** The official client, as it comes; it waits between its own repeats as it likes. */
export function clientOf(desk: { baseURL: string }, apiKey = 'none'): OpenAI {
  return new OpenAI({ baseURL: desk.baseURL, apiKey })
}

/** The same, and every reply that it got. */
export function watchedClientOf(desk: { baseURL: string }) {
  const replies: { status: number; retryAfter: string | null; shouldRetry: string | null }[] = []
  const client = new OpenAI({
    baseURL: desk.baseURL,
    apiKey: 'none',
    async fetch(input, init) {
      const reply = await fetch(input, init)
      const { status, headers } = reply
      replies.push({
        status,
        retryAfter: headers.get('retry-after'),
        shouldRetry: headers.get('x-should-retry'),
      })
      return reply
    },
  })
  return { client, replies }
}

export async function collect<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const list: Item[] = []
  for await (const item of items) list.push(item)
  return list
}
