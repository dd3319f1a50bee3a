import { type LookupAddress, lookup as systemLookup } from 'node:dns'
import type { LookupFunction } from 'node:net'
import { skipInformational } from '@ai-ticket/core'
import { Agent, buildConnector } from 'undici'
import type { AddressGuard } from './callback-policy.ts'

interface CallbackRequest {
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  readonly signal: AbortSignal
}

export interface CallbackReply {
  readonly status: number
  readonly retryAfter?: string
}

/** One POST and the head of its reply. */
export interface CallbackPoster {
  post(request: CallbackRequest): Promise<CallbackReply>
  /** Cuts what still runs. May be called twice. */
  close(): Promise<void>
}

/** A reply is looked at by its status alone; this much is read so that the receiver sees an orderly end. */
const MOST_READ_BYTES = 4_096
/** The signal ends an attempt; this only ends a connection that no attempt waits for. */
const CONNECT_TIMEOUT_MS = 15_000

/**
 * Follows no redirect, uses no proxy, and opens a connection for each request, so that each is checked: rejects with
 * `BlockedAddress` where the name stands for an address that is blocked.
 */
export function createCallbackPoster(options: {
  readonly isBlocked: AddressGuard
  readonly lookup?: Lookup
}): CallbackPoster {
  const agent = new Agent({
    pipelining: 0,
    headersTimeout: 0,
    bodyTimeout: 0,
    connect: skipInformational(
      buildConnector({
        timeout: CONNECT_TIMEOUT_MS,
        lookup: createGuardedLookup(options.isBlocked, options.lookup),
      }),
    ),
  })
  return {
    async post({ url, headers, body, signal }) {
      const reply = await agent.request({
        origin: url.origin,
        path: `${url.pathname}${url.search}`,
        method: 'POST',
        headers,
        body,
        signal,
      })
      const retryAfter = [reply.headers['retry-after']].flat()[0]
      // The status has been said: what becomes of the rest changes nothing.
      await reply.body.dump({ limit: MOST_READ_BYTES, signal }).catch(() => {})
      return { status: reply.statusCode, ...(retryAfter === undefined ? {} : { retryAfter }) }
    },
    async close() {
      if (!agent.destroyed) await agent.destroy()
    },
  }
}

export type Lookup = (
  hostname: string,
  options: { readonly all: true; readonly family?: number | 'IPv4' | 'IPv6'; readonly hints?: number },
  callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void

/** A name that stands for an address where no callback may go. */
export class BlockedAddress extends Error {
  override readonly name = 'BlockedAddress'
}

/**
 * Finds the addresses of a name at the moment in which one of them is dialled, so that a name that means something else
 * by then than when it was checked gains nothing. One blocked address among many is enough to refuse. Sockets do not ask
 * for addresses that stand in the URL as numbers: those are checked before.
 */
function createGuardedLookup(isBlocked: AddressGuard, lookup: Lookup = systemLookup): LookupFunction {
  return (hostname, { family, hints, all }, callback) => {
    const options = { ...(family === undefined ? {} : { family }), ...(hints === undefined ? {} : { hints }) }
    lookup(hostname, { ...options, all: true }, (error, addresses) => {
      if (error) return callback(error, [])
      if (addresses.some(({ address }) => isBlocked(address))) {
        return callback(new BlockedAddress('The name stands for a blocked address.'), [])
      }
      if (all) return callback(null, addresses)
      const [first] = addresses
      callback(null, first?.address ?? '', first?.family)
    })
  }
}
