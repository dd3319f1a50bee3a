import ky, { type Options } from 'ky'
import type { ClientOptions, HttpClient } from './create-client.ts'
import type { Delivery, Transport } from './delivery.ts'
import { createPoolFetch } from './pool-fetch.ts'

/** One ky for one backend. It repeats nothing and limits no time: both are decided above it. */
export function openClient({ baseUrl, apiKey, connectTimeoutMs, fetch }: ClientOptions): HttpClient {
  const pool = fetch ? undefined : createPoolFetch({ origin: new URL(baseUrl).origin, connectTimeoutMs })
  const transport = fetch ? overFetch(fetch) : pool?.fetch
  const client = ky.create({
    retry: 0,
    timeout: false,
    throwHttpErrors: false,
    fetch: (request, init?: RequestInit & { delivery?: Delivery }) => {
      if (!transport || !(request instanceof Request)) throw new TypeError('ky sent no Request.')
      return transport(request, init?.delivery ?? { headers: {} })
    },
  })
  const common = { ...(apiKey !== undefined && { authorization: `Bearer ${apiKey}` }) }
  const withBody = { ...common, 'content-type': 'application/json' }
  return {
    send({ method, path, headers, ...rest }) {
      const own = rest.body === undefined ? common : withBody
      const delivery: Delivery = { ...rest, headers: headers ? { ...headers, ...own } : own }
      const options: Options & { delivery: Delivery } = { method, delivery }
      return client(baseUrl + path, options)
    },
    async close() {
      await pool?.close()
    },
  }
}

/** A foreign fetch does not tell when it starts to write, so it counts as started. */
const overFetch =
  (fetch: typeof globalThis.fetch): Transport =>
  (request, { headers, body, signal, onSent }) => {
    const { method, url } = request
    const control = new AbortController()
    onSent?.((reason) => control.abort(reason))
    return fetch(url, {
      method,
      headers,
      redirect: 'manual',
      signal: signal ? AbortSignal.any([signal, control.signal]) : control.signal,
      ...(body !== undefined && { body }),
    })
  }
