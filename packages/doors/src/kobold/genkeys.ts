import type { Clock } from '@ai-ticket/core'
import { RequestProblem } from '@ai-ticket/http-server'

/** A finished text can be asked for this long, for clients whose connection broke. */
const KEPT_MS = 5 * 60_000
/** Finished texts of one caller, and of all of them; and what they may hold together, in characters. */
const MOST_OF_CALLER = 100
const MOST_OF_ALL = 1_000
const MOST_CHARACTERS = 16 * 1_024 * 1_024

const ABORTED = new RequestProblem({
  code: 'cancelled',
  details: 'The generation was aborted by another request of this caller.',
})

/** A generation under way, which its caller may look at and stop by its key. */
export class Generation {
  readonly genkey: string | undefined
  /** Made when somebody follows it: most chats cannot be stopped by a key. */
  #made: AbortController | undefined
  readonly #onEnd: (text: string) => void
  #text = ''
  #hasEnded = false

  constructor(genkey: string | undefined, onEnd: (text: string) => void) {
    this.genkey = genkey
    this.#onEnd = onEnd
  }

  /** Aborts when the caller says so; the reason is a `RequestProblem` of the code `cancelled`. */
  get signal(): AbortSignal {
    return this.#control.signal
  }

  get #control(): AbortController {
    this.#made ??= new AbortController()
    return this.#made
  }

  /** So far. */
  get text(): string {
    return this.#text
  }

  add(text: string): void {
    this.#text += text
  }

  abort(): void {
    this.#control.abort(ABORTED)
  }

  /** May be called again. `text`: the whole, where it did not come in pieces. */
  end(text = this.#text): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    this.#text = text
    this.#onEnd(text)
  }
}

interface Finished {
  readonly caller: string
  readonly genkey: string
  readonly text: string
  readonly until: number
}

/** The newest of them, the oldest first. */
function withinBounds(finished: readonly Finished[]): readonly Finished[] {
  const counts = new Map<string, number>()
  let characters = 0
  const kept = finished.toReversed().filter(({ caller, text }) => {
    const count = (counts.get(caller) ?? 0) + 1
    counts.set(caller, count)
    characters += text.length
    return count <= MOST_OF_CALLER && characters <= MOST_CHARACTERS
  })
  return kept.slice(0, MOST_OF_ALL).toReversed()
}

interface BeginOptions {
  /** Undefined: it has none, and an abort without a key is for it, too. */
  readonly genkey: string | undefined
  /** False: only an abort by its key stops it. Default true. */
  readonly stopsWithoutKey?: boolean
}

/**
 * Which generations are whose. A key is a name within its caller: programs draw it of few numbers, so two of them meet.
 * Nobody stops or reads what is somebody else's.
 */
export class Genkeys {
  readonly #clock: Clock
  readonly #running = new Map<string, Map<Generation, boolean>>()
  /** The oldest first. */
  #finished: readonly Finished[] = []
  #count = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Generations that have ended, of everybody. */
  get count(): number {
    return this.#count
  }

  begin(caller: string, { genkey, stopsWithoutKey = true }: BeginOptions): Generation {
    const generation: Generation = new Generation(genkey, (text) => this.#end(caller, generation, text))
    const own = this.#running.get(caller) ?? new Map<Generation, boolean>()
    this.#running.set(caller, own.set(generation, stopsWithoutKey && genkey === undefined))
    return generation
  }

  /** Stops those of this caller that have the key; without one, those that have none. False: there is no such key. */
  abort(caller: string, genkey: string | undefined): boolean {
    const own = [...(this.#running.get(caller) ?? [])]
    const those = own.filter(([one, stops]) => (genkey === undefined ? stops : one.genkey === genkey))
    for (const [generation] of those) generation.abort()
    return genkey === undefined || those.length > 0
  }

  /** The text so far, or the whole for five minutes; empty: nothing yet, or no such key. */
  textOf(caller: string, genkey: string): string {
    const running = [...(this.#running.get(caller)?.keys() ?? [])].findLast((one) => one.genkey === genkey)
    if (running !== undefined) return running.text
    this.#forget()
    return this.#finished.findLast((one) => one.caller === caller && one.genkey === genkey)?.text ?? ''
  }

  /** Whether anything of this caller waits or runs. */
  isBusy(caller: string): boolean {
    return this.#running.has(caller)
  }

  #end(caller: string, generation: Generation, text: string): void {
    this.#count += 1
    const own = this.#running.get(caller)
    own?.delete(generation)
    if (own?.size === 0) this.#running.delete(caller)
    const { genkey } = generation
    if (genkey === undefined) return
    const until = this.#clock.now() + KEPT_MS
    this.#finished = withinBounds([...this.#finished, { caller, genkey, text, until }])
    this.#forget()
  }

  #forget(): void {
    const now = this.#clock.now()
    if ((this.#finished[0]?.until ?? Number.POSITIVE_INFINITY) <= now) {
      this.#finished = this.#finished.filter(({ until }) => until > now)
    }
  }
}

/** Longer keys are no keys. */
const LONGEST_GENKEY = 200

/** The key in a body; undefined: it has none, or an empty one. */
export function genkeyIn(body: unknown): string | undefined {
  if (typeof body !== 'object' || body === null || !('genkey' in body)) return undefined
  const { genkey } = body
  return typeof genkey === 'string' && genkey !== '' && genkey.length <= LONGEST_GENKEY ? genkey : undefined
}
