import { type Clock, sleep, type Timer } from '@ai-ticket/core'

export interface ClaimLoopParts {
  readonly clock: Clock
  /** Claims as much as there is room for, and hands it to `run`. */
  readonly claim: () => Promise<void>
  /** Milliseconds until the next claim is worth a try. */
  readonly pauseMs: () => Promise<number>
  /** The store failed. The next claim follows after `retryMs`. */
  readonly failed: (error: unknown) => void
  readonly retryMs: number
}

/** Claims work from a store, one claim at a time, and keeps track of the work until it has ended. */
export class ClaimLoop {
  readonly #parts: ClaimLoopParts
  readonly #running = new Set<Promise<void>>()
  #isOpen = false
  /** Another claim was asked for since the current one began: it follows. */
  #isAsked = false
  #claiming: Promise<void> | undefined
  #timer: Timer | undefined

  constructor(parts: ClaimLoopParts) {
    this.#parts = parts
  }

  get isOpen(): boolean {
    return this.#isOpen
  }

  get running(): number {
    return this.#running.size
  }

  /** Begins to claim. Resolves after the first claim. */
  open(): Promise<void> {
    this.#isOpen = true
    return this.ask()
  }

  /** Claims now. Resolves when there is nothing more to claim for the moment. Does nothing unless the loop is open. */
  ask(): Promise<void> {
    if (!this.#isOpen) return Promise.resolve()
    this.#isAsked = true
    this.#claiming ??= this.#claimAll().finally(() => {
      this.#claiming = undefined
      if (this.#isAsked) void this.ask()
    })
    return this.#claiming
  }

  /** Keeps track of work that was claimed. It must not reject. */
  run(work: Promise<void>): void {
    const running = work.finally(() => this.#running.delete(running))
    this.#running.add(running)
  }

  /** Claims no more. Resolves when all work has ended, or after `drainMs`. */
  async close(drainMs: number): Promise<void> {
    this.#isOpen = false
    this.#isAsked = false
    this.#timer?.cancel()
    await this.#claiming
    const over = new AbortController()
    const ended = this.ended().then(() => over.abort())
    // The pause rejects when all has ended: then nothing is left to wait for.
    await Promise.race([ended, sleep(this.#parts.clock, drainMs, over.signal).catch(() => {})])
  }

  /** Resolves when all work has ended. */
  async ended(): Promise<void> {
    await Promise.all(this.#running)
  }

  async #claimAll(): Promise<void> {
    const { clock, claim, pauseMs, failed, retryMs } = this.#parts
    this.#timer?.cancel()
    let delayMs = retryMs
    try {
      do {
        this.#isAsked = false
        await claim()
        if (!this.#isAsked) delayMs = await pauseMs()
      } while (this.#isAsked && this.#isOpen)
    } catch (error) {
      failed(error)
      delayMs = retryMs
    }
    if (this.#isOpen) this.#timer = clock.setTimer(() => void this.ask(), delayMs)
  }
}
