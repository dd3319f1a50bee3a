import type { HttpCall, HttpClient } from './create-client.ts'

export interface OpenCall {
  readonly response: Promise<Response>
  /** Whether the server may have got something of the request. */
  sent(): boolean
  /** Closes the connection, which stops most servers; a plain call of KoboldCPP works on. */
  hangUp(): void
}

/** Given as the reason, for making an error at each call costs more than all the rest of closing. */
const HUNG_UP = new Error('The call was closed.')

export function openCall(client: HttpClient, call: Omit<HttpCall, 'method' | 'signal' | 'onSent'>): OpenCall {
  const controller = new AbortController()
  let sent = false
  const onSent = () => {
    sent = true
  }
  return {
    response: client.send({ ...call, method: 'POST', signal: controller.signal, onSent }),
    sent: () => sent,
    hangUp: () => controller.abort(HUNG_UP),
  }
}
