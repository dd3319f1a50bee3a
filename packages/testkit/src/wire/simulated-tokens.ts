/**
 * The simulator's tokenizer: four characters make a token (a surrogate pair is never split). It is not a real
 * tokenizer, but one that anybody can compute in the head.
 */
const charactersPerToken = 4

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

/** Timers that all end with the simulator. */
export interface Timers {
  later(delayMs: number, action: () => void): () => void
  clear(): void
}

export function createTimers(): Timers {
  const running = new Set<NodeJS.Timeout>()
  return {
    later(delayMs, action) {
      const timer = setTimeout(() => {
        running.delete(timer)
        action()
      }, delayMs)
      running.add(timer)
      return () => {
        running.delete(timer)
        clearTimeout(timer)
      }
    },
    clear() {
      for (const timer of running) clearTimeout(timer)
      running.clear()
    },
  }
}

interface TokenRunOptions {
  readonly text: string
  readonly tokensPerSecond: number
  /** Time to read the prompt. */
  readonly promptMs: number
  readonly timers: Timers
  onText(piece: string, tokens: number, last: boolean): void
  onComplete(): void
}

/** The model makes up for no more milliseconds than this: else all its text came at once where the process stood still. */
const MOST_LATE_MS = 20

/** The working model: hands out the text token by token, as the time allows, until it is stopped. */
export interface TokenRun {
  start(): void
  stop(): void
  textSoFar(): string
}

export function createTokenRun(options: TokenRunOptions): TokenRun {
  const { text, tokensPerSecond, promptMs, timers } = options
  let position = 0
  let made = 0
  let startedAt = 0
  let dueAt = 0
  let stopped = false
  let cancel = () => {}

  const giveOut = (due: number) => {
    const from = position
    const before = made
    while (made < due && position < text.length) {
      position = tokenEnd(text, position)
      made += 1
    }
    if (position > from) options.onText(text.slice(from, position), made - before, position >= text.length)
  }
  const complete = () => {
    stopped = true
    options.onComplete()
  }
  const tick = () => {
    const now = performance.now()
    startedAt += Math.max(0, now - dueAt - MOST_LATE_MS)
    giveOut(Math.floor(((now - startedAt) * tokensPerSecond) / 1000))
    if (stopped) return
    if (position >= text.length) complete()
    else wait()
  }
  const wait = () => {
    const now = performance.now()
    dueAt = Math.max(now + 1, startedAt + ((made + 1) * 1000) / tokensPerSecond)
    cancel = timers.later(dueAt - now, tick)
  }
  const everything = () => {
    const tokens = countTokens(text)
    position = text.length
    if (tokens > 0) options.onText(text, tokens, true)
    if (!stopped) complete()
  }
  const generate = () => {
    startedAt = performance.now()
    if (tokensPerSecond === Number.POSITIVE_INFINITY || text === '') everything()
    else wait()
  }
  return {
    start() {
      if (promptMs > 0) cancel = timers.later(promptMs, generate)
      else generate()
    },
    stop() {
      stopped = true
      cancel()
    },
    textSoFar: () => text.slice(0, position),
  }
}

/** The text that a fault lets through. */
export function limitedText(text: string, tokens: number | undefined): string {
  return tokens === undefined ? text : firstTokens(text, tokens)
}
