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
