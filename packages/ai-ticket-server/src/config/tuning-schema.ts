import type { Tuning } from '@ai-ticket/core'
import { closedObject, milliseconds, numberBetween, setting, wholeNumber } from './schema-parts.ts'

/** The numbers of the desk in the configuration file. Defaults are core's and stand in its `DEFAULTS`. */
export const TUNING_ENTRIES = {
  generation: setting(
    closedObject(
      {
        max_tokens: setting(wholeNumber(1, 1_000_000), 'Of events that name none. Default 512.'),
        temperature: setting(numberBetween(0, 5), 'Of events that name none. Default 0.7.'),
        top_p: setting(numberBetween(0, 1), 'Of events that name none. Default 1.'),
      },
      'the object "generation"',
    ),
    'What an event gets that does not say.',
  ),
  timeouts: setting(
    closedObject(
      {
        event_ms: setting(milliseconds(1, 3_600_000), 'Time of an event, waiting included. Default 600000.'),
        loading_grace_ms: setting(
          milliseconds(),
          'How long a closed port counts as a model being loaded. Default 60000.',
        ),
        probe_interval_ms: setting(milliseconds(1), 'Between probes of a backend that loads. Default 1000.'),
        probe_ms: setting(milliseconds(1), 'How long a probe may take. Default 2000.'),
        stuck_after_ms: setting(
          milliseconds(1),
          'When an aborted call that has not ended shows as stuck. Default 15000.',
        ),
      },
      'the object "timeouts"',
    ),
    'How long things may take, in milliseconds.',
  ),
  retries: setting(
    closedObject(
      {
        attempts: setting(wholeNumber(1, 100), 'Calls of one endpoint for one event. Default 3.'),
        repairs: setting(
          wholeNumber(0, 20),
          'How often the model is asked to correct an answer that misses its schema. Default 2.',
        ),
        backoff_base_ms: setting(milliseconds(), 'The first pause is at most this; it doubles. Default 500.'),
        backoff_cap_ms: setting(milliseconds(), 'The longest pause. Default 8000.'),
        budget_ratio: setting(numberBetween(0, 1), 'Share of the calls that may be repeats. Default 0.2.'),
        budget_floor: setting(wholeNumber(0, 1_000_000), 'Repeats that are always allowed. Default 10.'),
        budget_window_ms: setting(milliseconds(1), 'The window that both count in. Default 60000.'),
      },
      'the object "retries"',
    ),
    'How often and how soon the same endpoint is asked again.',
  ),
  line: setting(
    closedObject(
      {
        capacity: setting(wholeNumber(0, 1_000_000), 'Events that may wait for a slot. Default 1000.'),
        ageing_ms: setting(milliseconds(1), 'Waiting so long raises the priority by one. Default 30000.'),
      },
      'the object "line"',
    ),
    'The waiting line.',
  ),
  breaker: setting(
    closedObject(
      {
        failures: setting(wholeNumber(1, 1000), 'Events in a row that open it. Default 3.'),
        open_ms: setting(
          milliseconds(),
          'How long a backend is left out at first; it doubles. Default 5000.',
        ),
        max_open_ms: setting(milliseconds(), 'The longest that it is left out. Default 60000.'),
      },
      'the object "breaker"',
    ),
    'When a backend that fails is left out.',
  ),
}

/** Where the file has each number of the desk: a number that core gains does not compile until it has a place. */
export const TUNING_PATHS: Readonly<Record<keyof Tuning, readonly [group: string, key: string]>> = {
  timeoutMs: ['timeouts', 'event_ms'],
  maxTokens: ['generation', 'max_tokens'],
  temperature: ['generation', 'temperature'],
  topP: ['generation', 'top_p'],
  attempts: ['retries', 'attempts'],
  repairs: ['retries', 'repairs'],
  backoffBaseMs: ['retries', 'backoff_base_ms'],
  backoffCapMs: ['retries', 'backoff_cap_ms'],
  retryBudgetRatio: ['retries', 'budget_ratio'],
  retryBudgetFloor: ['retries', 'budget_floor'],
  retryBudgetWindowMs: ['retries', 'budget_window_ms'],
  lineCapacity: ['line', 'capacity'],
  ageingMs: ['line', 'ageing_ms'],
  breakerFailures: ['breaker', 'failures'],
  breakerOpenMs: ['breaker', 'open_ms'],
  breakerMaxOpenMs: ['breaker', 'max_open_ms'],
  loadingGraceMs: ['timeouts', 'loading_grace_ms'],
  probeIntervalMs: ['timeouts', 'probe_interval_ms'],
  probeTimeoutMs: ['timeouts', 'probe_ms'],
  stuckAfterMs: ['timeouts', 'stuck_after_ms'],
}

/** The numbers that the file gives, by core's names. */
export function tuningFrom(content: Readonly<Record<string, unknown>>): Partial<Tuning> {
  const tuning: Partial<Tuning> = {}
  for (const [name, [group, key]] of Object.entries(TUNING_PATHS) as [keyof Tuning, [string, string]][]) {
    const value = (content[group] as Readonly<Record<string, number>> | undefined)?.[key]
    if (value !== undefined) tuning[name] = value
  }
  return tuning
}
