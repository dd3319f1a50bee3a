import { EventSourceParserStream } from 'eventsource-parser/stream'

export interface Heard {
  readonly event?: string | undefined
  readonly id?: string | undefined
  readonly data: string
}

/**
 * Reads server-sent events until `take` says that this was the last. False: the stream has ended or broke before that.
 * `stillThere` is called for every sign of life without news.
 */
export async function readEvents(
  body: ReadableStream<Uint8Array>,
  take: (event: Heard) => boolean,
  stillThere: () => void = () => {},
): Promise<boolean> {
  try {
    const events = body
      .pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>)
      .pipeThrough(new EventSourceParserStream({ onComment: stillThere }))
    for await (const event of events) if (take(event)) return true
    return false
  } catch {
    return false
  }
}

/** Waits, but not longer than the signal. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    if (signal.aborted) done()
    else signal.addEventListener('abort', done, { once: true })
  })
}
