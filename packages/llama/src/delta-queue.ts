/** Calls on one side, an iterable on the other. */
export interface DeltaQueue<Item> {
  push(item: Item): void
  /** Nothing more comes. */
  end(): void
  items(): AsyncGenerator<Item>
}

/** Not bounded: what comes is at most the answer, which is held anyway. */
export function createDeltaQueue<Item>(): DeltaQueue<Item> {
  const held: Item[] = []
  let ended = false
  let wake = () => {}
  return {
    push(item) {
      held.push(item)
      wake()
    },
    end() {
      ended = true
      wake()
    },
    async *items() {
      for (;;) {
        yield* held.splice(0)
        if (held.length > 0) continue
        if (ended) return
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    },
  }
}
