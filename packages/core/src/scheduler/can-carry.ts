import type { Endpoint } from '../contract/backend.ts'
import type { Prompt } from '../contract/prompt.ts'

/** Whether an endpoint can transport all that the prompt holds. One that cannot is skipped: nothing is dropped. */
export function canCarry(endpoint: Endpoint, prompt: Prompt): boolean {
  if (!endpoint.images && prompt.turns.some((turn) => Array.isArray(turn.content))) return false
  if (!endpoint.schema && FORMATS.has(prompt.parameters.response_format?.type)) return false
  return endpoint.tools || !needsTools(prompt)
}

/** A schema that the desk looks after is no parameter any more: what is left here nobody else would see to. */
const FORMATS: ReadonlySet<unknown> = new Set(['json_object', 'json_schema'])

function needsTools({ parameters, turns }: Prompt): boolean {
  const asks =
    parameters.tools !== undefined && parameters.tools.length > 0 && parameters.tool_choice !== 'none'
  return asks || turns.some((turn) => turn.role === 'tool' || turn.tool_calls !== undefined)
}
