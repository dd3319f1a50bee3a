import type { PlannedRequest } from './plan-load.ts'

export const eventBody = ({ number, promptWords, maxTokens }: PlannedRequest): string =>
  JSON.stringify({
    content: `Load ${number}: ${'word '.repeat(promptWords)}`,
    parameters: { max_tokens: maxTokens },
  })

/** The number of the request whose prompt is in the body that a backend got. */
export function numberIn(body: unknown): number | undefined {
  const found = /Load (\d+):/.exec(JSON.stringify(body) ?? '')
  return found ? Number(found[1]) : undefined
}
