import type { Parameters, Prompt } from '../contract/prompt.ts'
import type { JsonSchema } from '../contract/standard-schema.ts'
import type { TicketEvent } from './event.ts'

/** The JSON Schema that an event asks for: its own, or the one in OpenAI's `response_format`. */
export function askedSchema(event: TicketEvent, prompt: Prompt): JsonSchema | undefined {
  return event.schema ?? ofResponseFormat(prompt.parameters)
}

function ofResponseFormat({ response_format }: Parameters): JsonSchema | undefined {
  if (response_format?.type !== 'json_schema') return undefined
  const { json_schema } = response_format
  if (!isObject(json_schema)) return undefined
  return isObject(json_schema.schema) ? json_schema.schema : undefined
}

/** The prompt of an event whose schema the desk looks after: the backend is told of it in the desk's way alone. */
export function withoutFormat(prompt: Prompt): Prompt {
  const { response_format, ...parameters } = prompt.parameters
  return response_format ? { ...prompt, parameters } : prompt
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
