import type { PartialReader } from '../answer-schema/answer-schema.ts'
import type { Delta } from '../contract/dispatcher.ts'
import type { Run } from '../event/run.ts'

export interface Collector {
  readonly onDelta: ((delta: Delta) => Promise<void> | undefined) | undefined
  startCall(onFirst: () => void): void
  endCall(): void
  isHandedOn(): boolean
  value(): string | undefined
}

/**
 * Hands deltas on and keeps the text, for the `partial` of an answer that breaks off. With a schema what the answer
 * says so far is handed on instead: that may start anew, so an answer can still be repaired or come from elsewhere.
 */
export function collectText({ sink, answerSchema }: Run): Collector {
  let text = ''
  let reader: PartialReader | undefined
  let isHandedOn = false
  let onFirst = () => {}
  return {
    onDelta:
      sink &&
      ((delta) => {
        onFirst()
        text += delta.text
        if (reader) return reader.push(delta.text)
        isHandedOn = true
        return sink.delta(delta)
      }),
    startCall(callback) {
      onFirst = callback
      if (!sink || !answerSchema) return
      reader?.close()
      text = ''
      reader = answerSchema.readPartial((data) => sink.partial(data))
    },
    endCall: () => reader?.close(),
    isHandedOn: () => isHandedOn,
    value: () => (text === '' ? undefined : text),
  }
}
