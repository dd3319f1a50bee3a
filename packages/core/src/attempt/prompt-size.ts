import type { Turn } from '../contract/prompt.ts'

/** Tags, role names and the like, for each turn. */
const TOKENS_PER_TURN = 64

/** No prompt has more tokens: a token is one byte at least. Tools are not counted. */
export function mostTokens(turns: readonly Turn[]): number {
  let bytes = 0
  for (const turn of turns) bytes += Buffer.byteLength(turnText(turn)) + TOKENS_PER_TURN
  return bytes
}

/** Fewer words than this say nothing. */
const FEWEST_WORDS = 20

/**
 * Half of its words: a prompt has more tokens than that with every usual tokenizer, for they do not join words.
 * Undefined for a short prompt.
 */
export function leastTokens(turns: readonly Turn[]): number | undefined {
  let words = 0
  for (const turn of turns) words += turnText(turn).match(/\S+/g)?.length ?? 0
  return words < FEWEST_WORDS ? undefined : Math.floor(words / 2)
}

function turnText({ content }: Turn): string {
  if (typeof content === 'string') return content
  return (content ?? []).map((part) => (part.type === 'text' ? part.text : '')).join('\n')
}
