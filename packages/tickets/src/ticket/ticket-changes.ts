/** Tells listeners which tickets have changed. */
export interface Hub {
  tell(ids: readonly string[]): void
  /** Gives back what ends it. */
  subscribe(listener: (id: string) => unknown): () => void
}

export function createHub(): Hub {
  const listeners = new Set<(id: string) => void>()
  return {
    tell(ids) {
      for (const id of ids) for (const listener of listeners) listener(id)
    },
    subscribe(listener) {
      // A listener of its own for each subscription: the same function may come twice.
      const own = (id: string) => void listener(id)
      listeners.add(own)
      return () => void listeners.delete(own)
    },
  }
}
