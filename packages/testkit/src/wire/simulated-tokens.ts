/**
 * The simulator's tokenizer: four characters make a token (a surrogate pair is never split). It is no real
 * tokenizer, only one that everybody can compute in the head.
 */
export const charactersPerToken = 4

/** Where the token that starts at `start` ends. */
export function tokenEnd(text: string, start: number): number {
  const end = Math.min(start + charactersPerToken, text.length)
  const last = text.charCodeAt(end - 1)
  return last >= 0xd800 && last < 0xdc00 && end < text.length ? end + 1 : end
}

/** How many tokens the text has by the simulator's count; an empty text has none. */
export function countTokens(text: string): number {
  let tokens = 0
  for (let end = 0; end < text.length; end = tokenEnd(text, end)) tokens += 1
  return tokens
}

/** The first `tokens` tokens of the text. */
export function firstTokens(text: string, tokens: number): string {
  let end = 0
  for (let taken = 0; taken < tokens && end < text.length; taken += 1) end = tokenEnd(text, end)
  return text.slice(0, end)
}
