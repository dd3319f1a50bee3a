import { signal } from '@preact/signals'
import { apiRoot } from './addresses.ts'

// A proxy may have other servers at the same host, below other paths: the key is not theirs.
const STORED = `ai-ticket-console-key ${apiRoot}`
const CHANNEL = `ai-ticket-console ${apiRoot}`
/** Other tabs answer from memory, at once or not at all. */
const OTHER_TABS_MS = 120

/**
 * The API key of this tab. It lives in memory and in the tab's own `sessionStorage`, and nowhere else: not in the page, an
 * address, a log or `localStorage`, and never in a cookie, which every port of this host would get.
 */
let key: string | undefined = readStored()

/** Whether the server wants a key that this tab does not have. */
export const keyWanted = signal(false)

/** Whether it does because the server refused the one that was entered. */
export const isKeyRefused = signal(false)

/** Grows with every change of the key: whatever shows data asks again. */
export const keyChanges = signal(0)

const channel = typeof BroadcastChannel === 'undefined' ? undefined : new BroadcastChannel(CHANNEL)
channel?.addEventListener('message', ({ data }: MessageEvent<unknown>) => {
  if (typeof data !== 'object' || data === null) return
  if ('wants' in data && key !== undefined) channel.postMessage({ key })
  if ('key' in data && typeof data.key === 'string' && key === undefined) useKey(data.key)
})

/** The header that shows the key; none without one. */
export const keyHeader = (): Record<string, string> =>
  key === undefined ? {} : { authorization: `Bearer ${key}` }

/** Whether this tab shows a key. */
export const hasKey = (): boolean => key !== undefined

/** Takes a key for this tab. */
export function useKey(given: string): void {
  key = given
  sessionStorage.setItem(STORED, given)
  keyWanted.value = false
  keyChanges.value += 1
}

/**
 * The server refused the key that was `shown` (undefined: none). Forgets it, unless another is there by now, and asks for
 * one: first the other tabs of this browser, then the reader.
 */
export async function refuseKey(shown: string | undefined): Promise<void> {
  if (keyHeader().authorization !== shown) return
  key = undefined
  sessionStorage.removeItem(STORED)
  isKeyRefused.value = shown !== undefined
  if (shown === undefined) await askOtherTabs()
  keyWanted.value = key === undefined
}

async function askOtherTabs(): Promise<void> {
  channel?.postMessage({ wants: true })
  const until = performance.now() + OTHER_TABS_MS
  while (key === undefined && performance.now() < until) await new Promise((done) => setTimeout(done, 10))
}

function readStored(): string | undefined {
  return sessionStorage.getItem(STORED) ?? undefined
}
