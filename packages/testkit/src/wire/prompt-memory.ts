import { countTokens, firstTokens, tokenEnd } from './simulated-tokens.ts'

/** What a server keeps of the prompts that it has read: a new one is read only from where it differs. */
export interface PromptMemory {
  /** Begins to read the text, in place of what it keeps longest. */
  read(text: string): PromptReading
  /** The process or its model is gone. */
  clear(): void
}

/** A prompt that is being read. */
export interface PromptReading {
  /** Tokens that are kept already. */
  readonly warmTokens: number
  /** Ends it: so many tokens of the text stand in the memory, and behind a whole text what was written. */
  end(kept: { readonly tokens: number; readonly written: string }): void
}

interface Kept {
  text: string
}

/**
 * The memory of a server that has read nothing yet.
 *
 * @param prompts how many are kept, the one that is being read included
 */
export function createPromptMemory(prompts: number): PromptMemory {
  /** The one that was used last stands last. */
  let kept: Kept[] = []
  return {
    read(text) {
      if (text === '') return { warmTokens: 0, end() {} }
      const [nearest, shared] = nearestOf(kept, text)
      const entry: Kept = { text: nearest?.text.slice(0, shared) ?? '' }
      // A text that goes on with one that is kept takes its place; another one is kept beside it.
      kept = kept.filter((other) => other !== nearest || shared < other.text.length)
      kept.push(entry)
      if (kept.length > prompts) kept.shift()
      return {
        warmTokens: wholeTokens(text, shared),
        end({ tokens, written }) {
          entry.text = tokens >= countTokens(text) ? text + written : firstTokens(text, tokens)
        },
      }
    },
    clear() {
      kept = []
    },
  }
}

function nearestOf(kept: readonly Kept[], text: string): [nearest: Kept | undefined, shared: number] {
  let nearest: Kept | undefined
  let most = 0
  for (const entry of kept) {
    const shared = sharedLength(entry.text, text)
    if (shared <= most) continue
    nearest = entry
    most = shared
  }
  return [nearest, most]
}

function sharedLength(one: string, other: string): number {
  const most = Math.min(one.length, other.length)
  let length = 0
  while (length < most && one.charCodeAt(length) === other.charCodeAt(length)) length += 1
  return length
}

/** Without the token in which the texts part. */
function wholeTokens(text: string, length: number): number {
  let tokens = 0
  for (let end = tokenEnd(text, 0); end <= length && end > 0; end = tokenEnd(text, end)) {
    tokens += 1
    if (end === text.length) break
  }
  return tokens
}
