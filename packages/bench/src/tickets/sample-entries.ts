import type { HistoryEntry } from '@ai-ticket/tickets'

/** The same for the same number, so that every run asks the same questions of the same tickets. */
const WORDS =
  'invoice order meeting summary please answer the letter from our customer about delivery of parts next week and write a short friendly reply in plain words without any promise'.split(
    ' ',
  )

/** A word that one ticket in 50,000 has. */
export const RARE_WORD = 'zephyrquill'

const MONTH_MS = 30 * 24 * 3_600_000

/** One of the values, the first ones more often than the last. */
const pick = (number: number, shares: readonly (readonly [string, number])[]): string => {
  let left = (Math.imul(number + 1, 2_654_435_761) >>> 0) / 4_294_967_296
  for (const [value, share] of shares) {
    if (left < share) return value
    left -= share
  }
  return shares[0]?.[0] ?? ''
}

const CALLERS = [
  ['ci', 0.5],
  ['mail', 0.4],
  ['home', 0.099],
  ['rare', 0.0001],
] as const
const BACKENDS = [
  ['gpu-1', 0.6],
  ['gpu-2', 0.3],
  ['gpu-3', 0.099],
  ['gpu-rare', 0.0001],
] as const
const ENDS = [
  ['completed', 0.95],
  ['api_timeout', 0.03],
  ['output_schema_mismatch', 0.01],
  ['cancelled', 0.009],
  ['api_authentication_error', 0.0001],
] as const

/** Event number `number` of `total`, spread evenly over the month before `now`. */
export function sampleEntry(
  number: number,
  { total, now }: { total: number; now: number },
): HistoryEntry & { readonly outcome: HistoryEntry['outcome'] } {
  const createdAt = Math.trunc(now - MONTH_MS + (number / total) * MONTH_MS)
  const backend = pick(number * 3 + 1, BACKENDS)
  const model = `koboldcpp/model-of-${backend}`
  const end = pick(number * 7 + 3, ENDS)
  const eventId = `evt_${number}`
  const content = Array.from({ length: 100 }, (_, word) => WORDS[(number * 31 + word * word) % WORDS.length])
  if (number % 50_000 === 17) content.push(RARE_WORD)
  const attempt = {
    backend,
    endpoint: 'chat',
    number: 1,
    started_at: new Date(createdAt).toISOString(),
    duration_ms: 900,
    waited_ms: 0,
  }
  return {
    eventId,
    caller: pick(number * 5 + 2, CALLERS),
    createdAt,
    finishedAt: createdAt + 900,
    event: {
      id: eventId,
      content: content.join(' '),
      metadata: { source: number % 2 === 0 ? 'mail' : 'crm', job: `job-${number % 1_000}`, row: `${number}` },
    },
    outcome:
      end === 'completed'
        ? {
            completion: `Dear customer, this is answer ${number}.`,
            id: eventId,
            model,
            backend,
            endpoint: 'chat',
            finish_reason: 'stop',
            usage: { prompt_tokens: 120, completion_tokens: 12 },
            duration_ms: 900,
            attempts: [{ ...attempt, result: 'completed' }],
          }
        : {
            error: end,
            details: 'It failed, as the sample says.',
            id: eventId,
            duration_ms: 900,
            attempts: [{ ...attempt, result: end }],
          },
  } as HistoryEntry
}
