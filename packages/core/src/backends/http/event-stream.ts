import { createParser } from 'eventsource-parser'

/** Longest line, in characters, that a server may send: far above any token, far below what hurts. */
const MAX_LINE = 1024 * 1024

/** KoboldCPP 1.76 ends its streams with this and no line end, so that a parser alone would never deliver it. */
const UNFINISHED_DONE = /(?:^|\n)data: ?\[DONE\]$/

/** A line of an event stream is longer than a megabyte. */
export class EventTooLongError extends Error {
  override readonly name = 'EventTooLongError'
}

/**
 * The data of server-sent events, `[DONE]` included, however the bytes were cut into reads. Comments, event names
 * and unknown fields are passed over; what a stream leaves at its end without a blank line is delivered where it is
 * whole.
 */
export async function* readEventStream(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  const events: string[] = []
  let tooLong = false
  let tail = ''
  const parser = createParser({
    maxBufferSize: MAX_LINE,
    onEvent: ({ data }) => events.push(data),
    onError: ({ type }) => {
      tooLong ||= type === 'max-buffer-size-exceeded'
    },
  })
  const feed = (text: string) => {
    parser.feed(text)
    tail = (tail + text).slice(-16)
    if (UNFINISHED_DONE.test(tail)) parser.feed('\n\n')
  }
  for await (const chunk of chunks) {
    feed(decoder.decode(chunk, { stream: true }))
    yield* events.splice(0)
    if (tooLong) throw new EventTooLongError('A line of the event stream is longer than a megabyte.')
  }
  feed(`${decoder.decode()}\n\n`)
  yield* events.splice(0).filter(isWhole)
}

/** The server may have died within an event: half of one is no event. */
function isWhole(data: string): boolean {
  if (data === '[DONE]') return true
  try {
    JSON.parse(data)
    return true
  } catch {
    return false
  }
}
