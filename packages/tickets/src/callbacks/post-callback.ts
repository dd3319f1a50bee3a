import { Agent } from 'undici'
import type { AddressGuard } from './address-guard.ts'
import { createGuardedLookup, type Lookup } from './guarded-lookup.ts'

export interface CallbackRequest {
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
/** Not what ends an attempt, which is the signal; only what ends a connection that nobody waits for any more. */
const CONNECT_TIMEOUT_MS = 15_000

/**
 * Follows no redirect, knows no proxy, and dials anew for each request, so that each is checked: rejects with
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
    connect: {
      timeout: CONNECT_TIMEOUT_MS,
      lookup: createGuardedLookup(options.isBlocked, options.lookup),
    },
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
