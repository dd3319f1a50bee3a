import { parse } from 'jsonriver'
import type { Clock } from '../contract/clock.ts'
import type { PartialReader } from './answer-schema.ts'

/** Between two partials, in milliseconds: nobody reads faster. */
const PAUSE_MS = 100
/** The text grows by this part of itself between two: so all of them together are at most as many times the answer. */
const GROWTH = 1 / 64

/**
 * Reads JSON as it comes and hands on what it says so far: numbers and words whole, strings and lists as far as they
 * go; at most ten times a second, and once more at the end. Each value is a copy. Text before the first bracket (prose,
 * a fence) is passed over; from the first fault on nothing more is handed on: the whole answer is read again at its end.
 */
export function readPartial(
  onPartial: (data: unknown) => Promise<void> | undefined,
  clock: Clock,
): PartialReader {
  const inbox = createInbox()
  let hasBegun = false
  let length = 0
  let told = { length: 0, at: Number.NEGATIVE_INFINITY }
  let unsaid: { readonly value: unknown } | undefined
  const tell = (value: unknown) => {
    told = { length, at: clock.now() }
    unsaid = undefined
    return onPartial(structuredClone(value))
  }
  const isDue = () => clock.now() - told.at >= PAUSE_MS && length * (1 - GROWTH) >= told.length
  const reading = (async () => {
    for await (const value of parse(inbox.pieces())) {
      if (isDue()) await tell(value)
      else unsaid = { value }
    }
  })().catch(() => inbox.close())
  return {
    async push(text) {
      const start = hasBegun ? 0 : text.search(/[[{]/)
      if (start < 0) return
      hasBegun = true
      length += text.length - start
      await Promise.race([inbox.put(text.slice(start)), reading])
    },
    close() {
      inbox.close()
      // There is no need to wait until it is taken: no further piece comes.
      if (unsaid) void tell(unsaid.value)
    },
  }
}

/** One piece at a time: who puts one waits until the reader asks for the next. */
function createInbox() {
  let piece: string | undefined
  let isClosed = false
  let onPut = () => {}
  let onTaken = () => {}
  return {
    put(text: string): Promise<void> {
      piece = text
      return new Promise((resolve) => {
        onTaken = resolve
        onPut()
      })
    },
    close() {
      isClosed = true
      onPut()
      onTaken()
    },
    async *pieces(): AsyncGenerator<string> {
      while (!isClosed) {
        if (piece === undefined) {
          onTaken()
          await new Promise<void>((resolve) => {
            onPut = resolve
          })
        }
        const text = piece
        piece = undefined
        if (text !== undefined && !isClosed) yield text
      }
    },
  }
}
