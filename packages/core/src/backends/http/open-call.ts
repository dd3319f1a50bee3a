import type { Clock } from '../../contract/clock.ts'
import type { HttpCall, HttpClient } from './client.ts'
import type { HangUp } from './delivery.ts'

export interface OpenCall {
  readonly response: Promise<Response>
  /** Whether the server may have got something of the request. */
  sent(): boolean
  /** Closes the connection, which stops most servers; a plain call of KoboldCPP works on. */
  hangUp(): void
  /**
   * The answer is whole: reads its stream to the end of the reply, in the background, and closes only what does not
   * end. A connection that is closed before cannot serve the next call.
   */
  letEnd(events: AsyncGenerator<unknown>, clock: Clock): void
}

/** Given as the reason, for making an error at each call costs more than all the rest of closing. */
const HUNG_UP = new Error('The call was closed.')

/** After the last event of an answer its reply ends at once or not at all. */
const END_MS = 200

export function openCall(client: HttpClient, call: Omit<HttpCall, 'method' | 'signal' | 'onSent'>): OpenCall {
  let hangUp: HangUp | undefined
  let isClosed = false
  let ending = false
  const onSent = (given: HangUp) => {
    hangUp = given
    // It waited for a connection until now.
    if (isClosed) hangUp(HUNG_UP)
  }
  const close = () => {
    isClosed = true
    hangUp?.(HUNG_UP)
  }
  return {
    response: client.send({ ...call, method: 'POST', onSent }),
    sent: () => hangUp !== undefined,
    hangUp() {
      if (!ending) close()
    },
    letEnd(events, clock) {
      ending = true
      const timer = clock.setTimer(close, END_MS)
      readToEnd(events).finally(() => timer.cancel())
    },
  }
}

async function readToEnd(events: AsyncGenerator<unknown>): Promise<void> {
  try {
    while (!(await events.next()).done);
  } catch {
    // The answer is whole: how its connection ends is nobody's concern.
  }
}
