import { parse } from 'jsonriver'
import type { PartialReader } from './answer-schema.ts'

/**
 * Reads JSON as it comes and hands on what it says so far: numbers and words whole, strings and lists as far as they
 * go. Each value is a copy. Text before the first bracket (prose, a fence) is passed over; from the first fault on
 * nothing more is handed on: the whole answer is read again at its end.
 */
export function readPartial(onPartial: (data: unknown) => Promise<void> | undefined): PartialReader {
  const inbox = createInbox()
  let hasBegun = false
  const reading = (async () => {
    for await (const value of parse(inbox.pieces())) await onPartial(structuredClone(value))
  })().catch(() => inbox.close())
  return {
    async push(text) {
      const start = hasBegun ? 0 : text.search(/[[{]/)
      if (start < 0) return
      hasBegun = true
      await Promise.race([inbox.put(text.slice(start)), reading])
    },
    close: () => inbox.close(),
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
