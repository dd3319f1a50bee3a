import type { StreamEvent } from './contract/dispatcher.ts'
import type { Outcome } from './contract/outcome.ts'
import type { Sink } from './event/run.ts'

/**
 * Runs an event with a sink and yields what comes, one delta at a time: the backend is read no faster than
 * the caller reads. Leaving the loop early calls `cancel`.
 */
export async function* streamEvent(
  start: (sink: Sink) => Promise<Outcome>,
  { cancel, partials }: { readonly cancel: () => void; readonly partials: boolean },
): AsyncGenerator<StreamEvent, void, undefined> {
  const channel = createChannel()
  const sink: Sink = {
    admitted: (id) => channel.push({ type: 'admitted', id }),
    delta: (delta) => new Promise((resolve) => channel.push({ type: 'delta', ...delta }, resolve)),
    ...(partials && {
      partial: (data) => new Promise((resolve) => channel.push({ type: 'partial', data }, resolve)),
    }),
  }
  const ending = start(sink).then(
    (outcome) =>
      channel.push(outcome.error !== undefined ? { type: 'error', outcome } : { type: 'done', outcome }),
    (error: unknown) => channel.fail(error),
  )
  let isOver = false
  try {
    while (!isOver) {
      const { event, onTaken } = await channel.next()
      isOver = event.type === 'done' || event.type === 'error'
      yield event
      onTaken?.()
    }
  } finally {
    if (!isOver) {
      cancel()
      await ending
    }
  }
}

interface Entry {
  readonly event: StreamEvent
  readonly onTaken: (() => void) | undefined
}

/** A queue between one writer and one reader; the writer waits for `onTaken`, so it stays short. */
function createChannel() {
  const queue: Entry[] = []
  let reader: { resolve(entry: Entry): void; reject(error: unknown): void } | undefined
  let failure: { error: unknown } | undefined
  return {
    push(event: StreamEvent, onTaken?: () => void) {
      const entry = { event, onTaken }
      if (reader) reader.resolve(entry)
      else queue.push(entry)
      reader = undefined
    },
    fail(error: unknown) {
      failure = { error }
      reader?.reject(error)
      reader = undefined
    },
    next(): Promise<Entry> {
      const entry = queue.shift()
      if (entry) return Promise.resolve(entry)
      if (failure) return Promise.reject(failure.error)
      return new Promise((resolve, reject) => {
        reader = { resolve, reject }
      })
    },
  }
}
