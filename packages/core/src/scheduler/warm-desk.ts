import type { BackendState } from '../contract/backend.ts'
import type { Clock } from '../contract/clock.ts'
import type { Tuning } from '../contract/options.ts'
import type { Prompt, Turn } from '../contract/prompt.ts'
import {
  afterAnswer,
  afterLoss,
  afterReading,
  type Chainer,
  createChainer,
  EMPTY_CHAIN,
  nothingWarm,
  type PromptChain,
  partsAtTurn,
  pushedOut,
  sharedTokens,
  tokensOf,
  type WarmPrompts,
  warmTokens,
} from '../warmth/prompt-chain.ts'
import type { BackendSlots } from './backend-slots.ts'
import type { ForecastWaiter } from './forecast.ts'
import type { AnswerSample, PromptReader } from './lease.ts'
import type { Waiter } from './waiting-line.ts'
import {
  afterReturn,
  type Candidate,
  cheapest,
  isWorthHolding,
  isWorthWaiting,
  latestPass,
  noReturns,
  type Offer,
  pickCandidate,
  type Returns,
} from './warm-choice.ts'

/** What an event asks, as far as a server may have read it before. */
export interface Asks {
  readonly prompt: Prompt
  readonly model: string | undefined
  readonly answerSchema: { readonly schema: unknown } | undefined
}

/** The next waiter for a free slot, or when to look again. */
type NextTurn<W> = { readonly waiter: W } | { readonly againAt: number } | undefined

interface SlotMemory {
  warm: WarmPrompts
  /** The last answer: its caller's next prompt probably continues it, and soon. */
  expected: Expected | undefined
  /** Calls in a row that took as long as if nothing had been kept. */
  misses: number
  look: Look | undefined
}

interface Expected {
  readonly chain: PromptChain
  readonly model: string | undefined
  readonly until: number
  readonly caller: string
  readonly priority: number
  hasCome: boolean
}

/** What a server has counted, when, and what of it was ours. */
interface Look {
  readonly at: number
  readonly served: number
  readonly upMs: number | undefined
  readonly ended: number
  readonly answered: number
}

/** A shorter prompt saves nothing worth a thought. */
const LEAST_TOKENS = 64
/** So many of a line are looked at, in the order of their turns: more cost more than they bring. */
const LOOK_AHEAD = 100
/** A prompt counts as the expected one that shares so much of it. */
const ENOUGH_SHARED = 0.5
/** After so many misses in a row a backend is not believed to keep anything, until it shows that it does. */
const MOST_MISSES = 3
/** A call that took less than this beyond its work has loaded no model. */
const LEAST_LOADING = 0.5
/** A load may take so much longer than the ones before: deadlines are kept with that. */
const LOAD_SLACK = 1.25
/** Times that lie closer together cannot be told apart. */
const CLEARLY = 1.3
/** How likely a prompt that was used within the last two minutes is used again. */
const REUSE = { withinMs: 120_000, chance: 0.5 }
/** A server's clock and ours part by no more than this between two looks. */
const UPTIME_SLACK_MS = 2_000
/** How old a look at a server may be whose memory is trusted. */
export const LOOK_AGE_MS = 5_000
/** Callers whose habits are known. */
const MOST_CALLERS = 1_000

export interface WarmDeskOptions {
  readonly clock: Clock
  readonly random: () => number
  /** As it is now. */
  readonly tuning: () => Pick<Tuning, 'overtakeMs' | 'lingerMs'>
  /** Until a slot of the backend is likely to be free, in milliseconds. */
  remainingMs(slots: BackendSlots): number
  /** With its age. */
  priorityOf(waiter: Waiter): number
}

/**
 * Knows what each backend has read last, and lets that decide who is served where. It changes an order only within the
 * bounds of `overtakeMs` and `lingerMs`; with `overtakeMs: 0` it is off.
 */
export class WarmDesk {
  readonly #options: WarmDeskOptions
  readonly #chainer: Chainer
  readonly #chains = new WeakMap<Prompt, PromptChain>()
  readonly #memories = new Map<BackendSlots, SlotMemory>()
  readonly #usedAt = new WeakMap<PromptChain, number>()
  /** What their senders call the beginnings of prompts. */
  readonly #prefixes = new WeakMap<PromptChain, string>()
  readonly #returns = new Map<string, Returns>()
  readonly #passedAt = new WeakMap<ForecastWaiter, number>()
  readonly #patientSince = new WeakMap<ForecastWaiter, number>()

  constructor(options: WarmDeskOptions) {
    this.#options = options
    this.#chainer = createChainer(options.random)
  }

  get isOn(): boolean {
    return this.#options.tuning().overtakeMs > 0
  }

  /** Of its prompt, likely tokens that this backend need not read. */
  savedTokens(slots: BackendSlots, asks: Asks & Pick<ForecastWaiter, 'work'>): number {
    const memory = this.#memories.get(slots)
    if (!memory || memory.misses >= MOST_MISSES || memory.warm.chains.length === 0) return 0
    return Math.min(warmTokens(memory.warm, this.chainOf(asks)), asks.work.promptTokens)
  }

  /** Of the prompts that this backend is likely to keep, what their senders call their beginnings. */
  prefixes(slots: BackendSlots): readonly string[] {
    const memory = this.#memories.get(slots)
    if (!memory || !this.isOn || memory.misses >= MOST_MISSES) return []
    return memory.warm.chains.flatMap((chain) => this.#prefixes.get(chain) ?? [])
  }

  /** Memoised: a prompt is hashed once. */
  chainOf({ prompt, model, answerSchema, work }: Asks & Pick<ForecastWaiter, 'work'>): PromptChain {
    if (!this.isOn || work.promptTokens < LEAST_TOKENS) return EMPTY_CHAIN
    const known = this.#chains.get(prompt)
    if (known) return known
    const chain = this.#chainer.chainOf(prompt, { model, schema: answerSchema?.schema })
    this.#chains.set(prompt, chain)
    return chain
  }

  /** An event has come that may use these backends: one of them may have waited for it. */
  onArrival(waiter: ForecastWaiter): void {
    if (!this.isOn) return
    const now = this.#options.clock.now()
    for (const slots of waiter.allowed) {
      const expected = this.#memories.get(slots)?.expected
      if (!expected || expected.hasCome || now >= expected.until) continue
      if (!isFor(this.chainOf(waiter), expected)) continue
      expected.hasCome = true
      this.#learnReturn(expected.caller, true)
    }
  }

  /** Which of the free backends to use, in order of preference; undefined: a busy one is worth waiting for. */
  chooseFree(
    waiter: ForecastWaiter,
    free: readonly BackendSlots[],
    waiting: readonly ForecastWaiter[],
  ): BackendSlots | undefined {
    const [first] = free
    if (!first || !this.isOn || waiter.allowed.length === 1 || this.#knowsNothing(waiter)) return first
    const offers = free.map((slots) => this.#offerOf(waiter, slots, 0))
    const place = cheapest(offers)
    const best = offers[place]
    if (!best) return first
    for (const slots of waiter.allowed) {
      if (slots.isFree || slots.admits() !== 'yes') continue
      const before = waiting.filter(({ allowed }) => allowed.includes(slots))
      const workMs = before.reduce((sum, other) => sum + this.#workMs(slots, other), 0)
      if (this.#mayWaitFor(waiter, slots, { best, queuedMs: workMs })) return undefined
    }
    return free[place]
  }

  /** The next waiter for the slot, chosen from those in the order of their turns. */
  next<W extends ForecastWaiter>(slots: BackendSlots, order: readonly W[]): NextTurn<W> {
    const now = this.#options.clock.now()
    const queuedMs = new Map<BackendSlots, number>()
    const willing: W[] = []
    let againAt = Number.POSITIVE_INFINITY
    for (const waiter of order.slice(0, LOOK_AHEAD)) {
      const elsewhere = this.#betterElsewhere(waiter, slots, queuedMs)
      if (!elsewhere) willing.push(waiter)
      else againAt = Math.min(againAt, elsewhere.againAt)
    }
    const candidates = willing.map((waiter) => this.#candidateOf(waiter, slots))
    const place = pickCandidate(candidates, { now, overtakeMs: this.#options.tuning().overtakeMs })
    const chosen = willing[place]
    if (!chosen) return Number.isFinite(againAt) ? { againAt } : undefined
    const held = this.#holdUntil(slots, chosen, candidates)
    const passed = willing.slice(0, held === undefined ? place : 1)
    for (const waiter of passed) if (!this.#passedAt.has(waiter)) this.#passedAt.set(waiter, now)
    return held === undefined ? { waiter: chosen } : { againAt: held }
  }

  /** How long after somebody was first served before it because of warmth, in milliseconds. */
  overtakenMs(waiter: ForecastWaiter): number {
    const passedAt = this.#passedAt.get(waiter)
    return passedAt === undefined ? 0 : this.#options.clock.now() - passedAt
  }

  /** Its prompt is being read in a slot. `isAwaited`: it is worth knowing what the server keeps then. */
  read(slots: BackendSlots, event: ReadEvent, isAwaited: boolean): PromptReader & { likelySaved: number } {
    const chain = isAwaited ? this.chainOf(event) : EMPTY_CHAIN
    const likelySaved = isAwaited ? this.savedTokens(slots, event) : 0
    const known = this.#memories.get(slots)
    // What another model has read goes with it.
    if (known && slots.swapsFor(event.model)) known.warm = nothingWarm(slots.keeps)
    // Else there is nothing to remember, and nothing to forget.
    if (chain.length > 0 || known?.warm.chains.length) {
      const memory = known ?? this.#remember(slots)
      memory.warm = afterReading(memory.warm, chain)
      this.#usedAt.set(chain, this.#options.clock.now())
      if (event.prefix !== undefined && chain.length > 0) this.#prefixes.set(chain, event.prefix)
    }
    return new Reading(this, { slots, event, chain, likelySaved })
  }

  /** The answer stands behind the prompt. */
  onAnswered({ slots, event, chain }: ReadPrompt, answer: Turn): void {
    const memory = this.#memories.get(slots)
    if (!memory) return
    if (memory.expected && !memory.expected.hasCome) this.#learnReturn(memory.expected.caller, false)
    memory.expected = undefined
    if (chain.length === 0) return
    const { clock, tuning } = this.#options
    const now = clock.now()
    const withAnswer = this.#chainer.extend(chain, answer)
    memory.warm = afterAnswer(memory.warm, chain, withAnswer)
    this.#usedAt.set(withAnswer, now)
    if (event.prefix !== undefined) this.#prefixes.set(withAnswer, event.prefix)
    const { caller, priority } = event
    const until = now + tuning().lingerMs
    memory.expected = { chain: withAnswer, until, caller, priority, model: event.model, hasCome: false }
  }

  /**
   * Tokens that were really spared, by the time of the call: one that took as long as if all of its prompt had been read
   * has found nothing that was kept.
   */
  believedTokens(
    slots: BackendSlots,
    { usage, durationMs }: Pick<AnswerSample, 'usage' | 'durationMs'>,
    expectedTokens: number,
  ): number {
    const memory = this.#memories.get(slots)
    if (!usage || !memory || expectedTokens === 0) return 0
    const { prompt_tokens: read, completion_tokens: written } = usage
    const coldMs = slots.tokensMs(read, written)
    const warmMs = slots.tokensMs(Math.max(0, read - expectedTokens), written)
    if (coldMs === undefined || warmMs === undefined || coldMs < CLEARLY * warmMs) return expectedTokens
    const wasCold = durationMs > (warmMs + coldMs) / 2
    memory.misses = wasCold ? memory.misses + 1 : 0
    return wasCold ? 0 : expectedTokens
  }

  /** Its prompt was not read to the end. */
  onLost({ slots, chain }: ReadPrompt): void {
    const memory = this.#memories.get(slots)
    if (memory) memory.warm = afterLoss(memory.warm, chain)
  }

  /** It has left the desk. */
  drop(slots: BackendSlots): void {
    this.#memories.delete(slots)
  }

  /** Another process, another model, or another program has used it. */
  forget(slots: BackendSlots): void {
    const memory = this.#memories.get(slots)
    if (!memory) return
    memory.warm = nothingWarm(slots.keeps)
    memory.expected = undefined
  }

  /** What a probe found. `isQuiet`: nothing of ours ran meanwhile, so its counts can be compared. */
  onLook(slots: BackendSlots, state: BackendState, isQuiet: boolean): void {
    if (!this.isOn || state.served === undefined || slots.hasLeft) return
    const { served, upMs } = state
    const memory = this.#memories.get(slots) ?? this.#remember(slots)
    const { look } = memory
    const { sent, ended, answered } = slots.generations
    const at = this.#options.clock.now()
    if (look) {
      const isShared = served - look.served > sent - look.ended
      // What runs beside others KoboldCPP does not count (fact 72).
      const isShort = isQuiet && slots.concurrency === 1 && served - look.served < answered - look.answered
      const isYounger =
        (upMs ?? 0) + UPTIME_SLACK_MS < (look.upMs ?? 0) + (upMs === undefined ? 0 : at - look.at)
      if (isShared || isShort || isYounger || served < look.served) this.forget(slots)
      else if (!isQuiet) return
    }
    memory.look = { at, served, upMs, ended, answered }
  }

  /** Of a waiter's prompt, the likely tokens that some backend keeps, or that somebody who waits will have had read. */
  likelySaved(asks: Asks & Pick<ForecastWaiter, 'work' | 'allowed'>, waiting: LinkCounts): number {
    let saved = 0
    for (const slots of asks.allowed) saved = Math.max(saved, this.savedTokens(slots, asks))
    for (const link of this.chainOf(asks)) if (waiting.has(link.hash)) saved = Math.max(saved, link.tokens)
    return Math.min(saved, asks.work.promptTokens)
  }

  #remember(slots: BackendSlots): SlotMemory {
    const memory: SlotMemory = {
      warm: nothingWarm(slots.keeps),
      expected: undefined,
      misses: 0,
      look: undefined,
    }
    this.#memories.set(slots, memory)
    return memory
  }

  #workMs(slots: BackendSlots, waiter: ForecastWaiter): number {
    const workMs = this.#speedOf(slots).roughWorkMs(waiter.work, this.savedTokens(slots, waiter))
    return workMs + slots.roughLoadMs(waiter.model)
  }

  /** What serving it there spares: tokens to read, and a model to load once more. */
  #savedMs(slots: BackendSlots, waiter: ForecastWaiter, savedTokens: number): number {
    return slots.readMs(savedTokens) + slots.keptMs(waiter.model)
  }

  /** No backend of the waiter has read anything, and none has one of several models loaded. */
  #knowsNothing({ allowed }: ForecastWaiter): boolean {
    return this.#memories.size === 0 && !allowed.some(({ shelf }) => shelf)
  }

  /** Something that it needs is there and not here. */
  #isWarmer(there: BackendSlots, here: BackendSlots, waiter: ForecastWaiter): boolean {
    const loadHereMs = here.roughLoadMs(waiter.model)
    const loadThereMs = there.roughLoadMs(waiter.model)
    if (loadHereMs !== loadThereMs) return loadThereMs < loadHereMs
    return this.savedTokens(there, waiter) > this.savedTokens(here, waiter)
  }

  /** One that was never measured is taken to be as quick as another. */
  #speedOf(slots: BackendSlots): BackendSlots {
    if (slots.isMeasured) return slots
    for (const other of this.#memories.keys()) if (other.isMeasured) return other
    return slots
  }

  #offerOf(waiter: ForecastWaiter, slots: BackendSlots, waitMs: number): Offer {
    const savedTokens = this.savedTokens(slots, waiter)
    const workMs = this.#workMs(slots, waiter)
    return {
      waitMs,
      // A server that does several at once does each more slowly.
      workMs: workMs * (1 + (slots.isFree ? slots.inFlight / slots.concurrency : 0)),
      savedMs: this.#savedMs(slots, waiter, savedTokens),
      lossMs: waitMs > 0 ? 0 : this.#lossMs(slots, waiter),
    }
  }

  /** A prompt that is pushed out may be needed again. */
  #lossMs(slots: BackendSlots, waiter: ForecastWaiter): number {
    const memory = this.#memories.get(slots)
    if (slots.swapsFor(waiter.model)) return REUSE.chance * slots.keptMs(undefined)
    if (!memory) return 0
    const pushed = pushedOut(memory.warm, this.chainOf(waiter))
    const usedAt = this.#usedAt.get(pushed) ?? Number.NEGATIVE_INFINITY
    if (this.#options.clock.now() - usedAt > REUSE.withinMs) return 0
    return REUSE.chance * slots.readMs(tokensOf(pushed))
  }

  #candidateOf(waiter: ForecastWaiter, slots: BackendSlots): Candidate {
    const savedTokens = this.savedTokens(slots, waiter)
    const loadMs = LOAD_SLACK * slots.roughLoadMs(waiter.model)
    return {
      savedMs: this.#savedMs(slots, waiter, savedTokens),
      workMs: slots.roughWorkMs(waiter.work, savedTokens) + loadMs,
      priority: this.#options.priorityOf(waiter),
      deadlineAt: waiter.deadlineAt,
      passedAt: this.#passedAt.get(waiter),
    }
  }

  /** Another backend that is worth waiting for, although this one is free; counts the waiter as queued there. */
  #betterElsewhere(
    waiter: ForecastWaiter,
    here: BackendSlots,
    queuedMs: Map<BackendSlots, number>,
  ): { readonly againAt: number } | undefined {
    const { clock, tuning } = this.#options
    for (const slots of waiter.allowed) {
      if (slots === here || slots.admits() !== 'yes' || !this.#isWarmer(slots, here, waiter)) continue
      const queued = queuedMs.get(slots) ?? 0
      const best = this.#offerOf(waiter, here, 0)
      if (!this.#mayWaitFor(waiter, slots, { best: { ...best, lossMs: 0 }, queuedMs: queued })) continue
      queuedMs.set(slots, queued + this.#workMs(slots, waiter))
      const since = this.#patientSince.get(waiter) ?? clock.now()
      this.#patientSince.set(waiter, since)
      const leftMs = Math.min(since + tuning().overtakeMs - clock.now(), best.workMs)
      return { againAt: clock.now() + Math.max(1, leftMs) }
    }
    return undefined
  }

  /** Whether it may wait for a warm backend: as long as that is likely to pay, within the bound and its deadline. */
  #mayWaitFor(
    waiter: ForecastWaiter,
    slots: BackendSlots,
    { best, queuedMs }: { readonly best: Offer; readonly queuedMs: number },
  ): boolean {
    const { clock, tuning, remainingMs } = this.#options
    const isCold = this.savedTokens(slots, waiter) === 0 && slots.keptMs(waiter.model) === 0
    if (isCold || slots.isOutwaitedBy(waiter)) return false
    const now = clock.now()
    const waitMs = (slots.isFree ? 0 : remainingMs(slots)) + queuedMs
    const offer = this.#offerOf(waiter, slots, waitMs)
    const waited = now - (this.#patientSince.get(waiter) ?? now)
    if (waited + waitMs > Math.min(tuning().overtakeMs, offer.savedMs)) return false
    return now + waitMs + offer.workMs <= waiter.deadlineAt && isWorthWaiting(offer, best)
  }

  /** Until when the slot is kept for the prompt that is expected there, instead of being given to the chosen one. */
  #holdUntil(
    slots: BackendSlots,
    chosen: ForecastWaiter,
    candidates: readonly Candidate[],
  ): number | undefined {
    const { clock, tuning } = this.#options
    const memory = this.#memories.get(slots)
    const expected = memory?.expected
    const now = clock.now()
    if (!memory || !expected || now >= expected.until || expected.hasCome) return undefined
    const chain = this.chainOf(chosen)
    const swaps = slots.swapsFor(chosen.model)
    if (isFor(chain, expected) || !(swaps || pushedOut(memory.warm, chain) === expected.chain))
      return undefined
    const mayAll = candidates.every(
      (one) =>
        one.priority <= expected.priority && expected.until <= latestPass(one, now, tuning().overtakeMs),
    )
    const readMs = memory.misses >= MOST_MISSES ? 0 : slots.readMs(tokensOf(expected.chain))
    const savedMs = readMs + (swaps ? slots.keptMs(expected.model) : 0)
    const returns = this.#returns.get(expected.caller) ?? noReturns
    return mayAll && isWorthHolding(savedMs, returns, tuning().lingerMs) ? expected.until : undefined
  }

  #learnReturn(caller: string, hasReturned: boolean): void {
    const returns = afterReturn(this.#returns.get(caller) ?? noReturns, hasReturned)
    this.#returns.delete(caller)
    this.#returns.set(caller, returns)
    const [oldest] = this.#returns.keys()
    if (this.#returns.size > MOST_CALLERS && oldest !== undefined) this.#returns.delete(oldest)
  }
}

const isFor = (chain: PromptChain, expected: Expected): boolean =>
  sharedTokens(chain, expected.chain) >= ENOUGH_SHARED * tokensOf(expected.chain)

/** A prompt that a server reads, or has read. */
interface ReadPrompt {
  readonly slots: BackendSlots
  readonly event: ReadEvent
  readonly chain: PromptChain
  /** Of its prompt, likely tokens that the server had kept. */
  readonly likelySaved: number
}

type ReadEvent = Asks &
  Pick<ForecastWaiter, 'work' | 'caller' | 'priority'> & { readonly prefix?: string | undefined }

class Reading implements PromptReader {
  readonly #warm: WarmDesk
  readonly #read: ReadPrompt
  /** As its server lists it. */
  #model: string | undefined
  #loads = false

  constructor(warm: WarmDesk, read: ReadPrompt) {
    this.#warm = warm
    this.#read = read
    this.sent()
  }

  /** Said twice: a server that nobody has looked at is looked at between the two. */
  sent(): void {
    const { slots, event } = this.#read
    if (!slots.shelf) return
    this.#model = slots.modelOf(event.model)
    if (slots.shelf.use(this.#model)) this.#loads = true
  }

  get likelySaved(): number {
    return this.#read.likelySaved
  }

  get savedTokens(): number {
    return this.#read.slots.tokens(this.#read.likelySaved)
  }

  answered({ cachedTokens, ...sample }: AnswerSample, answer: Turn): void {
    const { slots, event, chain, likelySaved } = this.#read
    const { maxTokens, promptTokens: likelyTokens } = event.work
    this.#warm.onAnswered(this.#read, answer)
    const loadedMs = this.#loadedMs(sample)
    if (loadedMs > 0) {
      // How long it read and wrote cannot be told from how long it loaded.
      const durationMs = Math.max(1, sample.durationMs - loadedMs)
      slots.learn({ ...sample, durationMs, usage: undefined, maxTokens, likelyTokens, savedTokens: 0 })
      slots.expectModel()
      return
    }
    const believed = this.#warm.believedTokens(slots, sample, this.savedTokens)
    // Where the prompts part within a link, nobody knows how much was read: that teaches no speed.
    const isExact = believed === 0 || partsAtTurn(chain, likelySaved)
    const usage = cachedTokens !== undefined || isExact ? sample.usage : undefined
    slots.learn({ ...sample, usage, maxTokens, likelyTokens, savedTokens: cachedTokens ?? believed })
  }

  lost(): void {
    this.#warm.onLost(this.#read)
    if (this.#loads) this.#read.slots.expectModel()
  }

  /** How long the server loaded its model before it answered; 0: it had it in memory. */
  #loadedMs({ usage, durationMs, firstTokenMs }: Omit<AnswerSample, 'cachedTokens'>): number {
    const { slots } = this.#read
    if (!slots.shelf || this.#model === undefined || !usage) return 0
    const written = firstTokenMs === undefined ? usage.completion_tokens : 0
    const workMs = slots.tokensMs(usage.prompt_tokens, written) ?? 0
    const restMs = (firstTokenMs ?? durationMs) - workMs
    // No load was expected, but some servers unload a model after a while, or for another client.
    const isUnlikely = !this.#loads && (workMs === 0 || restMs < slots.shelf.keptMs(this.#model) / 2)
    if (isUnlikely || restMs < workMs * LEAST_LOADING) return 0
    return slots.shelf.learn(this.#model, restMs) ? restMs : 0
  }

  forget(): void {
    this.#warm.forget(this.#read.slots)
  }
}

/** How many of those who wait begin with the same. */
export class LinkCounts {
  readonly #counts = new Map<string, number>()

  has(hash: string): boolean {
    return this.#counts.has(hash)
  }

  add(chain: PromptChain): void {
    for (const { hash } of chain) this.#counts.set(hash, (this.#counts.get(hash) ?? 0) + 1)
  }

  remove(chain: PromptChain): void {
    for (const { hash } of chain) {
      const left = (this.#counts.get(hash) ?? 1) - 1
      if (left > 0) this.#counts.set(hash, left)
      else this.#counts.delete(hash)
    }
  }
}
