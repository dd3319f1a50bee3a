import { type Result, success } from '../contract/failure.ts'
import { parseEvent, type TicketEvent } from './event.ts'
import { extractPrompt } from './extract-prompt.ts'

/** What can be known of an event before it runs. */
export type EventInspection = Readonly<Pick<TicketEvent, 'id' | 'model' | 'backend' | 'metadata'>> & {
  readonly priority: number
}

/**
 * Reads an event as `onEvent` would, without running it: for whoever accepts events now and runs them later.
 * Failures: `invalid_input_format`, `missing_content_field`, `prompt_extraction_failed`.
 */
export function inspectEvent(value: unknown): Result<EventInspection> {
  const event = parseEvent(value)
  if (!event.ok) return event
  const { content, parameters, id, model, backend, metadata, priority = 0 } = event.value
  const prompt = extractPrompt(content, parameters)
  if (!prompt.ok) return prompt
  return success({
    priority,
    ...(id === undefined ? {} : { id }),
    ...(model === undefined ? {} : { model }),
    ...(backend === undefined ? {} : { backend }),
    ...(metadata === undefined ? {} : { metadata }),
  })
}
