import type { Delta } from './call-endpoint.ts'
import type { Run } from './run.ts'

export interface Collector {
  readonly onDelta: ((delta: Delta) => Promise<void> | undefined) | undefined
  startCall(onFirst: () => void): void
  isHandedOn(): boolean
  value(): string | undefined
}

/** Hands deltas on and keeps the text, for the `partial` of an answer that breaks off. */
export function collectText({ sink }: Run): Collector {
  let text = ''
  let isHandedOn = false
  let onFirst = () => {}
  return {
    onDelta:
      sink &&
      ((delta) => {
        onFirst()
        isHandedOn = true
        text += delta.text
        return sink.delta(delta)
      }),
    startCall(callback) {
      onFirst = callback
    },
    isHandedOn: () => isHandedOn,
    value: () => (text === '' ? undefined : text),
  }
}
