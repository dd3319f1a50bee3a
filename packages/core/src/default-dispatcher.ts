import { createKoboldBackend } from './backends/kobold/create-kobold-backend.ts'
import type { Dispatcher, EventOptions, SchemaOptions } from './contract/dispatcher.ts'
import type { EventInput, RawEvent } from './contract/event-input.ts'
import { silentLogger } from './contract/logger.ts'
import type { DataOutcome, FailureOutcome, Outcome } from './contract/outcome.ts'
import type { DataOf, StandardSchema } from './contract/standard-schema.ts'
import { createDispatcher } from './create-dispatcher.ts'
import { createConsolaLogger, parseLogLevel } from './telemetry/consola-logger.ts'

const DEFAULT_URL = 'http://localhost:5001/api'

let dispatcher: Dispatcher | undefined

/**
 * Answers one event on a desk that is made at first use from `KOBOLDCPP_API_URL` (default
 * `http://localhost:5001/api`; several, comma separated), `KOBOLDCPP_API_KEY` (one, or one per URL) and `LOG_LEVEL`
 * (unset: nothing is logged; otherwise to stderr). Use `createDispatcher` for everything else.
 *
 * Resolves with an Outcome for any value of `event`. Rejects when a variable is wrong, naming it, or, after the
 * caller's own abort, with the caller's reason.
 */
export function onEvent<Schema extends StandardSchema, Given = EventInput>(
  event: EventInput | RawEvent<Given>,
  options: SchemaOptions<Schema>,
): Promise<DataOutcome<DataOf<Schema>> | FailureOutcome>
export function onEvent<Given = EventInput>(
  event: EventInput | RawEvent<Given>,
  options?: EventOptions,
): Promise<Outcome>
export async function onEvent(event: unknown, options?: EventOptions): Promise<Outcome> {
  dispatcher ??= createDefaultDispatcher(process.env)
  return dispatcher.onEvent(event, options)
}

/** @internal */
export function createDefaultDispatcher(
  environment: Readonly<Record<string, string | undefined>>,
): Dispatcher {
  const urls = split(environment.KOBOLDCPP_API_URL || DEFAULT_URL)
  const keys = split(environment.KOBOLDCPP_API_KEY ?? '')
  if (keys.length > 1 && keys.length !== urls.length) {
    throw new TypeError(
      `KOBOLDCPP_API_KEY holds ${keys.length} keys for ${urls.length} URLs; give one, or one per URL.`,
    )
  }
  const level = parseLogLevel(environment.LOG_LEVEL || 'silent')
  if (level === undefined) {
    throw new TypeError('LOG_LEVEL is not a level; use DEBUG, INFO, WARNING, ERROR or CRITICAL.')
  }
  return createDispatcher({
    logger: level === 'silent' ? silentLogger : createConsolaLogger({ level, stream: process.stderr }),
    backends: urls.map((url, index) => {
      const apiKey = keys.length > 1 ? keys[index] : keys[0]
      return createKoboldBackend({
        url,
        name: urls.length === 1 ? 'kobold' : `kobold-${index + 1}`,
        ...(apiKey === undefined ? {} : { apiKey }),
      })
    }),
  })
}

const split = (list: string) =>
  list
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '')
