/** A model is taken to load so long before one of its server was seen to. Orders are built on it, no promise is. */
const UNSEEN_LOAD_MS = 5_000
/** Weight of the newest loading time. */
const NEWEST = 0.5
/** A first call that took less than this part of a known loading time found its model loaded: somebody else had asked for it. */
const LEAST_SHARE = 0.25

/**
 * The models of a server that loads them when they are asked for: which are in memory, and what loading one takes. It
 * goes by what the server says when nothing runs, and between two looks by what it was sent. Times in milliseconds.
 */
export class ModelShelf {
  /** Those that can be loaded. */
  #names: ReadonlySet<string> = new Set()
  /** Those in memory, the one used last last. */
  #loaded: readonly string[] = []
  #room = 1
  readonly #loadMs = new Map<string, number>()

  /** The most that were seen in memory at once. */
  get room(): number {
    return this.#room
  }

  /** Models in memory, as far as is known. */
  get loaded(): readonly string[] {
    return this.#loaded
  }

  /** What the server says. `loaded`: undefined where it may be loading one for us just now. */
  look(names: readonly string[], loaded: readonly string[] | undefined): void {
    this.#names = new Set(names)
    if (!loaded) return
    const known = this.#loaded.filter((name) => loaded.includes(name))
    this.#loaded = [...loaded.filter((name) => !known.includes(name)), ...known]
    this.#room = Math.max(this.#room, loaded.length)
  }

  /** It is asked for this model. True: it has to load it first. */
  use(name: string | undefined): boolean {
    const loads = this.isMissing(name)
    if (name !== undefined && this.#names.has(name)) {
      this.#loaded = [...this.#loaded.filter((other) => other !== name), name].slice(-this.#room)
    }
    return loads
  }

  /** Whether it would have to be loaded first. Undefined: whatever is loaded answers. */
  isMissing(name: string | undefined): boolean {
    return name !== undefined && this.#names.has(name) && !this.#loaded.includes(name)
  }

  /** Whether loading it would push another one out. */
  pushesOut(name: string | undefined): boolean {
    return this.isMissing(name) && this.#loaded.length >= this.#room
  }

  /** Loading it has taken so long. False: too short for loading, so it was in memory. */
  learn(name: string, tookMs: number): boolean {
    const before = this.#loadMs.get(name)
    if (tookMs <= 0 || (before !== undefined && tookMs < LEAST_SHARE * before)) return false
    this.#loadMs.set(name, before === undefined ? tookMs : before + NEWEST * (tookMs - before))
    return true
  }

  /** Before an answer of this model can begin; undefined: it has to be loaded, and nobody knows how long that takes. */
  loadMs(name: string | undefined): number | undefined {
    return name === undefined || !this.isMissing(name) ? 0 : this.#loadMs.get(name)
  }

  /** What loading it takes, whether it is loaded or not; undefined: nobody knows. */
  learnedMs(name: string): number | undefined {
    return this.#names.has(name) ? this.#loadMs.get(name) : 0
  }

  /** The same by whatever is known, for comparing only. */
  roughLoadMs(name: string | undefined): number {
    return this.isMissing(name) ? this.#roughMs(name) : 0
  }

  /** What loading it again would take, if it is in memory. Without a name: the one that was used last. */
  keptMs(name: string | undefined): number {
    const kept = name ?? this.#loaded.at(-1)
    return kept !== undefined && this.#loaded.includes(kept) ? this.#roughMs(kept) : 0
  }

  /** The mean of what was seen; undefined: nothing was. */
  get meanLoadMs(): number | undefined {
    if (this.#loadMs.size === 0) return undefined
    return [...this.#loadMs.values()].reduce((sum, ms) => sum + ms, 0) / this.#loadMs.size
  }

  #roughMs(name: string | undefined): number {
    const known = name === undefined ? undefined : this.#loadMs.get(name)
    return known ?? this.meanLoadMs ?? UNSEEN_LOAD_MS
  }
}
