import type { AttemptRecord, EventTiming, Observer, Outcome } from '@ai-ticket/core'
import { Counter, Gauge, Histogram, type Registry } from '@prometheus-io/client'
import { wastedMs, wasteReason } from './metrics.ts'

/** A generation on a small machine takes minutes: the usual buckets end at 10 s and would show nothing. */
const MINUTES = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 60, 120, 300, 600, 1_800, 3_600]

const DOORS: ReadonlySet<string> = new Set(['event', 'openai', 'responses', 'anthropic', 'kobold', 'tickets'])

/**
 * Counts events and calls as they end. Label values are bounded: configured backends, their endpoints, codes, and doors; never
 * an id, a caller, or the name of a model, which callers choose.
 */
export function observeEvents(registry: Registry): Observer {
  const ofEvents = metricsOfEvents([registry])
  const ofAttempts = metricsOfAttempts([registry])
  return {
    eventStarted: () => ofEvents.inHand.inc(),
    attemptEnded: (attempt) => countAttempt(ofAttempts, attempt),
    abandonedCallStopped: ({ backend, afterMs }) =>
      ofAttempts.wasted.inc({ backend, reason: 'stopping' }, Math.max(0, afterMs) / 1_000),
    eventEnded: (outcome, timing) => countEvent(ofEvents, outcome, timing),
  }
}

function metricsOfEvents(registers: Registry[]) {
  return {
    inHand: new Gauge({
      name: 'ai_ticket_events_in_hand',
      help: 'Events that wait or run',
      registers,
    }),
    events: new Counter({
      name: 'ai_ticket_events_total',
      help:
        'Events that ended, by outcome (completed, failed, cancelled), code, and the API by which they came (door; of a ' +
        'ticket, the one that took it in)',
      labelNames: ['outcome', 'code', 'door'],
      registers,
    }),
    duration: new Histogram({
      name: 'ai_ticket_event_duration_seconds',
      help: 'From the arrival of an event to its outcome',
      labelNames: ['outcome'],
      buckets: MINUTES,
      registers,
    }),
    wait: new Histogram({
      name: 'ai_ticket_event_wait_seconds',
      help: 'Of that, in the waiting line',
      buckets: MINUTES,
      registers,
    }),
    overtaken: new Histogram({
      name: 'ai_ticket_event_overtaken_seconds',
      help: 'Of events that were overtaken because of a warm prompt: since that began',
      buckets: MINUTES,
      registers,
    }),
    promptTokens: new Counter({
      name: 'ai_ticket_prompt_tokens_total',
      help:
        'Prompt tokens of events that were answered: read, or saved because the backend had kept them. Estimated where ' +
        'the backend does not say',
      labelNames: ['backend', 'how'],
      registers,
    }),
    tokens: new Counter({
      name: 'ai_ticket_tokens_total',
      help: 'Tokens of events that were answered, by direction (input, output), where the backend counts them',
      labelNames: ['backend', 'direction'],
      registers,
    }),
  }
}

function metricsOfAttempts(registers: Registry[]) {
  return {
    firstToken: new Histogram({
      name: 'ai_ticket_first_token_seconds',
      help: 'From the start of a streamed call to its first delta',
      labelNames: ['backend'],
      buckets: MINUTES,
      registers,
    }),
    attempts: new Counter({
      name: 'ai_ticket_attempts_total',
      help: 'Calls of backends, by result',
      labelNames: ['backend', 'endpoint', 'result'],
      registers,
    }),
    attemptDuration: new Histogram({
      name: 'ai_ticket_attempt_duration_seconds',
      help: 'Of a call of a backend, until it ended or its event did',
      labelNames: ['backend', 'endpoint'],
      buckets: MINUTES,
      registers,
    }),
    retries: new Counter({
      name: 'ai_ticket_retries_total',
      help: 'Calls of an endpoint that the same event had called before',
      labelNames: ['backend'],
      registers,
    }),
    wasted: new Counter({
      name: 'ai_ticket_wasted_generation_seconds_total',
      help:
        'Time that backends worked for nobody: calls of events that ended before (abandoned), those calls until the backend ' +
        'had stopped (stopping), and calls that were thrown away (failed)',
      labelNames: ['backend', 'reason'],
      registers,
    }),
  }
}

function countEvent(
  { inHand, events, duration, wait, overtaken, promptTokens, tokens }: ReturnType<typeof metricsOfEvents>,
  outcome: Outcome,
  { waitedMs, overtakenMs, door }: EventTiming,
): void {
  const code = outcome.error ?? 'completed'
  const ending = code === 'completed' || code === 'cancelled' ? code : 'failed'
  inHand.dec()
  events.inc({ outcome: ending, code, door: doorOf(door) })
  duration.observe({ outcome: ending }, outcome.duration_ms / 1_000)
  wait.observe(waitedMs / 1_000)
  if (overtakenMs > 0) overtaken.observe(overtakenMs / 1_000)
  if (!outcome.usage) return
  const { backend, usage } = outcome
  tokens.inc({ backend, direction: 'input' }, usage.prompt_tokens)
  tokens.inc({ backend, direction: 'output' }, usage.completion_tokens)
  const saved = Math.min(usage.prompt_tokens, outcome.attempts.at(-1)?.saved_prompt_tokens ?? 0)
  promptTokens.inc({ backend, how: 'read' }, usage.prompt_tokens - saved)
  promptTokens.inc({ backend, how: 'saved' }, saved)
}

/** Whoever extends the server can name doors as they like: those that nobody knows here are one. */
const doorOf = (door = ''): string => (DOORS.has(door) ? door : 'other')

function countAttempt(
  { attempts, attemptDuration, firstToken, retries, wasted }: ReturnType<typeof metricsOfAttempts>,
  attempt: Readonly<AttemptRecord>,
): void {
  const { backend, endpoint, result, number, first_token_ms: firstTokenMs } = attempt
  attempts.inc({ backend, endpoint, result })
  attemptDuration.observe({ backend, endpoint }, attempt.duration_ms / 1_000)
  if (firstTokenMs !== undefined) firstToken.observe({ backend }, firstTokenMs / 1_000)
  if (number > 1) retries.inc({ backend })
  const wastedSeconds = wastedMs(attempt) / 1_000
  if (wastedSeconds > 0) wasted.inc({ backend, reason: wasteReason(attempt) }, wastedSeconds)
}
