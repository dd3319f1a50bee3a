import type { Endpoint } from './backend.ts'
import type { Prompt } from './prompt.ts'

/** Whether an endpoint can transport all that the prompt holds. One that cannot is skipped: nothing is dropped. */
export function canCarry(endpoint: Endpoint, prompt: Prompt): boolean {
  if (!endpoint.images && prompt.turns.some((turn) => Array.isArray(turn.content))) return false
  if (!endpoint.schema && prompt.parameters.response_format?.type === 'json_schema') return false
  return endpoint.tools || !needsTools(prompt)
}

function needsTools({ parameters, turns }: Prompt): boolean {
  const asks =
    parameters.tools !== undefined && parameters.tools.length > 0 && parameters.tool_choice !== 'none'
  return asks || turns.some((turn) => turn.role === 'tool' || turn.tool_calls !== undefined)
}
