import { EXIT } from './exit-codes.ts'

export const EXIT_OF_SIGNAL = { SIGINT: EXIT.interrupted, SIGTERM: EXIT.terminated } as const

export type EndSignal = keyof typeof EXIT_OF_SIGNAL

/** The first signal calls back, the second ends the process at once. */
export function endOnSignals(onFirst: (signal: EndSignal) => unknown): { readonly ending: boolean } {
  const state = { ending: false }
  const onSignal = (signal: EndSignal) => {
    if (state.ending) process.exit(EXIT_OF_SIGNAL[signal])
    state.ending = true
    onFirst(signal)
  }
  for (const signal of Object.keys(EXIT_OF_SIGNAL) as EndSignal[]) process.on(signal, () => onSignal(signal))
  return state
}
