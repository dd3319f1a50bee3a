import type { BackendServer } from '../../contract/backend.ts'
import type { Clock } from '../../contract/clock.ts'
import type { TranscriptTemplate } from './transcript.ts'

/** What every HTTP backend may be given. */
export interface CommonOptions {
  name: unknown
  apiKey: unknown
  model: unknown
  fetch: unknown
  clock: Clock
  template: TranscriptTemplate
  /** In milliseconds. */
  times: Readonly<Record<string, unknown>>
}

/** Throws a `TypeError` that names a bad option and never shows a key. */
export function checkCommonOptions(options: CommonOptions): void {
  const { name, apiKey, model, fetch, clock, template, times } = options
  for (const [key, value] of Object.entries(times)) {
    check(Number.isFinite(value) && Number(value) > 0, `${key} must be a number of milliseconds above 0`)
  }
  check(isText(name), 'name must be a text that is not empty')
  // What a header cannot hold would fail at each call, and Node's message would show the key.
  check(apiKey === undefined || isKey(apiKey), 'apiKey must be a text of visible ASCII characters')
  check(model === undefined || isText(model), 'model must be a text that is not empty')
  check(fetch === undefined || typeof fetch === 'function', 'fetch must be a function')
  check(typeof clock?.now === 'function' && typeof clock.setTimer === 'function', 'clock must be a Clock')
  check(
    isTemplate(template),
    'template must hold pairs of texts for system, user, assistant and tool, and stop',
  )
}

export function check(good: boolean, problem: string): void {
  if (!good) throw new TypeError(problem)
}

export const isText = (value: unknown): boolean => typeof value === 'string' && value !== ''

const isKey = (key: unknown): boolean => typeof key === 'string' && /^[\x21-\x7e]+$/.test(key)

function isTemplate(template: TranscriptTemplate): boolean {
  if (typeof template !== 'object' || template === null) return false
  const { system, user, assistant, tool, stop } = template
  const pairs = [system, user, assistant, tool].every((pair) => isTexts(pair) && pair.length === 2)
  return pairs && isTexts(stop)
}

const isTexts = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((one) => typeof one === 'string')

/**
 * A server's address as users write it: the scheme may be missing (then http). Throws a `TypeError` that shows no
 * credentials; `example` is named in it.
 */
export function parseAddress(value: unknown, example: string): URL {
  const text = typeof value === 'string' ? value.trim() : ''
  const address = /^[a-z][a-z\d+.-]*:\/\//i.test(text) ? text : `http://${text}`
  const url = text !== '' && URL.canParse(address) ? new URL(address) : undefined
  if (!url || (url.protocol !== 'http:' && url.protocol !== 'https:') || url.hostname === '') {
    throw new TypeError(`url must be an http or https address, for instance ${example}`)
  }
  if (url.username || url.password) {
    throw new TypeError('url must not hold a user name or password; give the password as apiKey')
  }
  return url
}

/** Host and port of a base URL; a user or a path in it stays out of traces. */
export function serverOf(provider: string, url: string): BackendServer {
  const { hostname, port, protocol } = new URL(url)
  return { provider, address: hostname, port: Number(port) || (protocol === 'https:' ? 443 : 80) }
}
