import type { Clock, Timer } from '@ai-ticket/core'
import type { VirtualClock } from '@ai-ticket/testkit'

/** A computer with a clock that somebody may set. */
export interface Machine {
  /** By how much its wall clock is wrong. */
  shiftMs: number
}

/** `cut`: connections break at once. `silent`: nothing passes, and nobody says so. */
export type Network = 'well' | 'cut' | 'silent'

/** A program that can be killed: its timers fire no more, and what it waits for never comes. */
export class SimulatedProcess {
  readonly number: number
  readonly worker: string
  readonly machine: Machine
  readonly clock: Clock
  /** What its desk calls itself; known since its first claim. */
  session: string | undefined
  /** It has started, and was not told to stop. */
  isServing = false
  /** Since then another may have its name. */
  nameLostAt: number | undefined
  /** Since then it may claim: it has its name. */
  startedAt: number
  /** When it looked at the clock of the database. */
  readonly clockLooks: number[] = []
  diedAt: number | undefined
  network: Network = 'well'
  readonly #timers = new Set<Timer>()
  readonly #virtual: VirtualClock
  readonly #watchers: (() => void)[] = []

  constructor(given: { number: number; worker: string; machine: Machine; clock: VirtualClock }) {
    this.number = given.number
    this.worker = given.worker
    this.machine = given.machine
    this.#virtual = given.clock
    this.startedAt = given.clock.now()
    this.clock = {
      now: given.clock.now,
      wallTime: () => given.clock.wallTime() + given.machine.shiftMs,
      setTimer: (callback, delayMs) => this.#setTimer(callback, delayMs),
    }
  }

  get isAlive(): boolean {
    return this.diedAt === undefined
  }

  /** Told whenever it dies or its network changes. */
  watch(watcher: () => void): void {
    this.#watchers.push(watcher)
  }

  setNetwork(network: Network): void {
    this.network = network
    for (const watcher of this.#watchers) watcher()
  }

  die(): void {
    if (!this.isAlive) return
    this.diedAt = this.#virtual.now()
    this.isServing = false
    for (const timer of this.#timers) timer.cancel()
    this.#timers.clear()
    for (const watcher of this.#watchers) watcher()
  }

  /** What comes after its death never arrives. */
  async guard<Value>(work: () => Promise<Value>): Promise<Value> {
    if (!this.isAlive) return await never()
    try {
      const value = await work()
      return this.isAlive ? value : await never()
    } catch (error) {
      if (this.isAlive) throw error
      return await never()
    }
  }

  #setTimer(callback: () => void, delayMs: number): Timer {
    if (!this.isAlive) return { cancel() {} }
    const timer = this.#virtual.setTimer(() => {
      this.#timers.delete(own)
      callback()
    }, delayMs)
    const own: Timer = {
      cancel: () => {
        timer.cancel()
        this.#timers.delete(own)
      },
    }
    this.#timers.add(own)
    return own
  }
}

export const never = <Value>(): Promise<Value> => new Promise(() => {})
