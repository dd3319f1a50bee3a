import type { AnswerSchema } from '../answer-schema/answer-schema.ts'
import type { EventOptions } from '../contract/dispatcher.ts'
import { type Result, success } from '../contract/failure.ts'
import { isPlainObject } from '../contract/json-value.ts'
import type { Parameters, Prompt } from '../contract/prompt.ts'
import type { JsonSchema } from '../contract/standard-schema.ts'
import { parseEvent, type TicketEvent } from './event.ts'
import { extractPrompt } from './extract-prompt.ts'

export const hasSchema = ({ event, prompt }: Asked, { schema }: EventOptions): boolean =>
  schema !== undefined || askedSchema(event, prompt) !== undefined

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

/** The JSON Schema that an event asks for: its own, or the one in OpenAI's `response_format`. */
export function askedSchema(event: TicketEvent, prompt: Prompt): JsonSchema | undefined {
  return event.schema ?? ofResponseFormat(prompt.parameters)
}

function ofResponseFormat({ response_format }: Parameters): JsonSchema | undefined {
  if (response_format?.type !== 'json_schema') return undefined
  const { json_schema } = response_format
  if (!isPlainObject(json_schema)) return undefined
  return isPlainObject(json_schema.schema) ? json_schema.schema : undefined
}

/** The prompt of an event whose schema the desk looks after: the backend is told of it in the desk's way alone. */
export function withoutFormat(prompt: Prompt): Prompt {
  const { response_format, ...parameters } = prompt.parameters
  return response_format ? { ...prompt, parameters } : prompt
}

export interface Asked {
  readonly event: TicketEvent
  readonly prompt: Prompt
  readonly answerSchema?: AnswerSchema
}

export function readAsked(value: unknown): Result<Asked> {
  const event = parseEvent(value)
  if (!event.ok) return event
  const prompt = extractPrompt(event.value.content, event.value.parameters)
  return prompt.ok ? success({ event: event.value, prompt: prompt.value }) : prompt
}

/** What schemas need is loaded at the first event that has one. */
export async function openAnswerSchema(asked: Asked, { schema }: EventOptions): Promise<Result<Asked>> {
  const { openJsonSchema, openStandardSchema } = await import('../answer-schema/open-answer-schema.ts')
  const prompt = withoutFormat(asked.prompt)
  if (schema !== undefined)
    return success({ ...asked, prompt, answerSchema: await openStandardSchema(schema) })
  const answerSchema = await openJsonSchema(askedSchema(asked.event, asked.prompt) ?? {})
  return answerSchema.ok ? success({ ...asked, prompt, answerSchema: answerSchema.value }) : answerSchema
}
