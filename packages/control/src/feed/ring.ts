/** A ticket that has changed, with its place in the feed. */
export interface Change {
  readonly place: number
  readonly id: string
}

/** How many changes can be caught up with. */
const KEPT = 1_000

/** The last changes, for readers who come back. Only the last change of a ticket counts. */
export function createRing(session: string) {
  const changes = new Map<string, Change>()
  let place = 0
  /** The last place that was forgotten. */
  let forgotten = 0
  const nameOf = (at: number) => `${session}-${at}`
  return {
    get place() {
      return place
    },
    nameOf,
    add(id: string): Change {
      const change = { place: ++place, id }
      changes.delete(id)
      changes.set(id, change)
      const [oldest] = changes.values()
      if (changes.size > KEPT && oldest) {
        changes.delete(oldest.id)
        forgotten = oldest.place
      }
      return change
    },
    /** What came behind it, the oldest first. Undefined: it is not known here, or too long ago. */
    after(name: string): readonly Change[] | undefined {
      const [, from, digits] = /^([\w]+)-(\d{1,15})$/.exec(name) ?? []
      const seen = Number(digits)
      if (from !== session || seen < forgotten || seen > place) return undefined
      return [...changes.values()].filter((change) => change.place > seen)
    },
  }
}

export type Ring = ReturnType<typeof createRing>
