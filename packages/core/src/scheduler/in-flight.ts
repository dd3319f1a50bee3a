/** Who is in hand, and a promise for when nobody is. */
export interface InFlight<Member> extends Iterable<Member> {
  add(member: Member): void
  remove(member: Member): void
  /** Resolves as soon as nobody is left. */
  empty(): Promise<void>
}

export function createInFlight<Member>(): InFlight<Member> {
  const members = new Set<Member>()
  let listeners: (() => void)[] = []
  return {
    add: (member) => void members.add(member),
    remove(member) {
      if (!members.delete(member) || members.size > 0) return
      for (const listener of listeners) listener()
      listeners = []
    },
    empty() {
      if (members.size === 0) return Promise.resolve()
      return new Promise((resolve) => listeners.push(resolve))
    },
    [Symbol.iterator]: () => members.values(),
  }
}
