import type { Timers } from '../wire/simulated-tokens.ts'

interface Waiting {
  readonly model: string
  readonly onReady: () => void
}

/** The models of a server that has one of them in memory. */
export class ModelSwap {
  readonly #loadMs: number
  readonly #timers: Timers
  readonly #onChange: () => void
  #loaded: string | undefined
  #isLoading = false
  #loads = 0
  #running = 0
  #waiting: Waiting[] = []

  /** @param loadMs how long a model takes to load, in milliseconds */
  constructor(loadMs: number, timers: Timers, onChange: () => void) {
    this.#loadMs = loadMs
    this.#timers = timers
    this.#onChange = onChange
  }

  /** Undefined: none yet. While one is being loaded it is none. */
  get loaded(): string | undefined {
    return this.#loaded
  }

  /** How often one was loaded. */
  get loads(): number {
    return this.#loads
  }

  /** It lets go of its model, as servers do after a while. */
  unload(): void {
    this.#loaded = undefined
  }

  /**
   * Calls back as soon as the model is in memory: what runs with another one runs to its end first. Returns what to call
   * when the generation is over, or given up.
   */
  use(model: string, onReady: () => void): () => void {
    let isReady = false
    const entry: Waiting = {
      model,
      onReady: () => {
        isReady = true
        onReady()
      },
    }
    this.#waiting.push(entry)
    this.#serve()
    let isOver = false
    return () => {
      if (isOver) return
      isOver = true
      if (isReady) this.#running -= 1
      this.#waiting = this.#waiting.filter((other) => other !== entry)
      this.#serve()
    }
  }

  #serve(): void {
    for (let next = this.#waiting[0]; next && !this.#isLoading; next = this.#waiting[0]) {
      if (next.model !== this.#loaded) {
        if (this.#running === 0) this.#load(next.model)
        return
      }
      this.#waiting.shift()
      this.#running += 1
      next.onReady()
    }
  }

  #load(model: string): void {
    this.#isLoading = true
    this.#loaded = undefined
    this.#onChange()
    this.#timers.later(this.#loadMs, () => {
      this.#isLoading = false
      this.#loaded = model
      this.#loads += 1
      this.#onChange()
      this.#serve()
    })
  }
}
