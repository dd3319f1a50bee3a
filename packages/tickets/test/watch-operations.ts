import type { TicketStore } from '../src/index.ts'

/** In this order each of them has something to do where the servers die one after the other. */
export const WATCHED = ['accept', 'claim', 'saveProgress', 'adopt', 'release', 'settle'] as const

type Step = 'commit' | 'committed'

/** `accept:commit`: an accept is about to become durable. `accept:committed`: it just has, and nobody was told. */
export type CrashPoint = `${(typeof WATCHED)[number]}:${Step}`

export const CRASH_POINTS: readonly CrashPoint[] = WATCHED.flatMap((operation) => [
  `${operation}:commit` as const,
  `${operation}:committed` as const,
])

/** Knows which operations a commit is of: `onStep` is for the store, `watch` goes around it. */
export function watchOperations(onPoint: (point: string) => void) {
  const pending = new Map<string, number>()
  const count = (name: string, by: number) => pending.set(name, (pending.get(name) ?? 0) + by)
  return {
    onStep(step: Step): void {
      for (const [name, number] of pending) if (number > 0) onPoint(`${name}:${step}`)
    },
    watch(store: TicketStore): TicketStore {
      const watched = WATCHED.map((name) => {
        const operation = store[name].bind(store) as (...given: readonly unknown[]) => Promise<unknown>
        return [
          name,
          async (...given: readonly unknown[]) => {
            count(name, 1)
            return await operation(...given).finally(() => count(name, -1))
          },
        ]
      })
      return { ...store, ...Object.fromEntries(watched) }
    },
  }
}
