import type { Tuning } from '@ai-ticket/core'
import * as v from 'valibot'
import { closedObject, milliseconds, numberBetween, setting, wholeNumber } from './schema-parts.ts'

/** A number of the desk that core calls `name`. Its default is core's. */
const tuned = <Schema extends v.GenericSchema<number>>(name: keyof Tuning, schema: Schema, words: string) =>
  v.exactOptional(v.pipe(schema, v.description(words), v.metadata({ name })))

const group = <const Entries extends v.ObjectEntries>(name: string, words: string, entries: Entries) =>
  setting(closedObject(entries, `the object "${name}"`), words)

/** The numbers of the desk in the configuration file. */
export const TUNING_ENTRIES = {
  generation: group('generation', 'What an event gets where it does not say.', {
    max_tokens: tuned('maxTokens', wholeNumber(1, 1_000_000), 'For events that do not set it.'),
    ceiling_max_tokens: tuned(
      'ceilingMaxTokens',
      wholeNumber(0, 10_000_000),
      'For requests under /v1 that do not set it; 0: what the context has left.',
    ),
    temperature: tuned('temperature', numberBetween(0, 5), 'For events that do not set it.'),
    top_p: tuned('topP', numberBetween(0, 1), 'For events that do not set it.'),
  }),
  timeouts: group('timeouts', 'How long things may take, in milliseconds.', {
    event_ms: tuned('timeoutMs', milliseconds(1, 3_600_000), 'Time of an event, waiting included.'),
    loading_grace_ms: tuned(
      'loadingGraceMs',
      milliseconds(),
      'How long a closed port counts as a model being loaded.',
    ),
    probe_interval_ms: tuned('probeIntervalMs', milliseconds(1), 'Between probes of a backend that loads.'),
    probe_ms: tuned('probeTimeoutMs', milliseconds(1), 'How long a probe may take.'),
    stuck_after_ms: tuned(
      'stuckAfterMs',
      milliseconds(1),
      'When an aborted call that has not ended shows as stuck.',
    ),
  }),
  retries: group('retries', 'How often and how soon the same endpoint is asked again.', {
    attempts: tuned('attempts', wholeNumber(1, 100), 'Calls of one endpoint for one event.'),
    repairs: tuned(
      'repairs',
      wholeNumber(0, 20),
      'How often the model is asked to correct an answer that misses its schema.',
    ),
    backoff_base_ms: tuned('backoffBaseMs', milliseconds(), 'The first pause is at most this; it doubles.'),
    backoff_cap_ms: tuned('backoffCapMs', milliseconds(), 'The longest pause.'),
    budget_ratio: tuned('retryBudgetRatio', numberBetween(0, 1), 'Share of the calls that may be repeats.'),
    budget_floor: tuned('retryBudgetFloor', wholeNumber(0, 1_000_000), 'Repeats that are always allowed.'),
    budget_window_ms: tuned('retryBudgetWindowMs', milliseconds(1), 'The window that both count in.'),
  }),
  line: group('line', 'The waiting line.', {
    capacity: tuned('lineCapacity', wholeNumber(0, 1_000_000), 'Events that may wait for a slot.'),
    ageing_ms: tuned('ageingMs', milliseconds(1), 'Waiting this long raises the priority by one.'),
    overtake_ms: tuned(
      'overtakeMs',
      milliseconds(),
      'How long an event may be overtaken by events whose prompts a server has read already; 0: never.',
    ),
    linger_ms: tuned(
      'lingerMs',
      milliseconds(),
      'How long a slot is held for the next prompt of a conversation; 0: never.',
    ),
  }),
  breaker: group('breaker', 'When a backend that fails is left out.', {
    failures: tuned('breakerFailures', wholeNumber(1, 1000), 'Events in a row that open it.'),
    open_ms: tuned('breakerOpenMs', milliseconds(), 'How long a backend is left out at first; it doubles.'),
    max_open_ms: tuned('breakerMaxOpenMs', milliseconds(), 'The longest that it is left out.'),
  }),
}

interface TuningPlace {
  /** As core calls it. */
  readonly name: keyof Tuning
  readonly group: string
  readonly key: string
  readonly schema: v.GenericSchema<number>
}

/** Where the file has each number; a test holds that all are here. */
export const TUNING_PLACES: readonly TuningPlace[] = Object.entries(TUNING_ENTRIES).flatMap(
  ([group, { wrapped }]) =>
    Object.entries(wrapped.pipe[0].entries).map(([key, { wrapped: schema }]) => ({
      name: v.getMetadata(schema).name,
      group,
      key,
      schema,
    })),
)

/** The numbers that the file gives, by core's names. */
export function tuningFrom(content: Readonly<Record<string, unknown>>): Partial<Tuning> {
  const given = TUNING_PLACES.flatMap(({ name, group, key }) => {
    const value = (content[group] as Readonly<Record<string, number>> | undefined)?.[key]
    return value === undefined ? [] : [[name, value]]
  })
  return Object.fromEntries(given)
}
