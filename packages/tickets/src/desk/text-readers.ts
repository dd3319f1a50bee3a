/** The readers that follow the text of tickets, by ticket. */
export class TextReaders {
  readonly #readers = new Map<string, Set<() => void>>()

  has(id: string): boolean {
    return this.#readers.has(id)
  }

  tell(id: string): void {
    for (const listener of this.#readers.get(id) ?? []) listener()
  }

  /** Gives back what ends it. */
  add(id: string, listener: () => void): () => void {
    // A listener of its own for each reader: the same function may come twice.
    const own = () => listener()
    const readers = this.#readers.get(id) ?? new Set()
    this.#readers.set(id, readers.add(own))
    return () => {
      readers.delete(own)
      if (readers.size === 0 && this.#readers.get(id) === readers) this.#readers.delete(id)
    }
  }
}
