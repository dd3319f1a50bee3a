import type { Turn } from '../../contract/prompt.ts'
import { turnText } from '../../contract/prompt.ts'

/** How a conversation is written for an endpoint that takes one text. Each pair goes before and after a turn's text. */
export interface TranscriptTemplate {
  /** Around a system turn. */
  readonly system: readonly [before: string, after: string]
  /** Around a user turn. */
  readonly user: readonly [before: string, after: string]
  /** Around an assistant turn; what stands before it also opens the answer. */
  readonly assistant: readonly [before: string, after: string]
  /** Results of tools. */
  readonly tool: readonly [before: string, after: string]
  /** Ends a text whose answer writes the next user turn itself. Sent beside the caller's own stop strings. */
  readonly stop: readonly string[]
}

/** The tags KoboldCPP itself puts around chat messages unless told otherwise (Alpaca), recorded with 1.115.1. */
export const alpacaTemplate: TranscriptTemplate = {
  system: ['\n### Instruction:\n', ''],
  user: ['\n### Instruction:\n', ''],
  assistant: ['\n### Response:\n', ''],
  tool: ['\nTool Results:\n', ''],
  stop: ['\n### Instruction:'],
}

/** A conversation as one text. */
export interface Transcript {
  /** What the endpoint is sent as its prompt. */
  readonly text: string
  /** Stop strings the writing of turns asks for; none for a text without tags. */
  readonly stop: readonly string[]
}

/**
 * The whole conversation as one text, system turns included. A lone user turn stays as it is. A last assistant turn
 * is left open, so that it is continued.
 */
export function writeTranscript(turns: readonly Turn[], template: TranscriptTemplate): Transcript {
  const [first] = turns
  if (turns.length === 1 && first?.role === 'user') return { text: transcriptText(first), stop: [] }
  return { text: renderTurns(turns, template), stop: template.stop }
}

/** All turns with their tags, and the tag that opens the answer. */
export function renderTurns(turns: readonly Turn[], template: TranscriptTemplate): string {
  const last = turns.at(-1)
  const open = last?.role === 'assistant' ? last : undefined
  const closed = open ? turns.slice(0, -1) : turns
  const text = closed.map((turn) => {
    const [before, after] = template[turn.role]
    return before + transcriptText(turn) + after
  })
  return text.join('') + template.assistant[0] + (open ? transcriptText(open) : '')
}

/** The text of a turn with its tool calls as JSON: a text endpoint has no other way to carry them. */
function transcriptText(turn: Turn): string {
  const text = turnText(turn)
  if (!turn.tool_calls?.length) return text
  const calls = JSON.stringify(turn.tool_calls)
  return text ? `${text}\n${calls}` : calls
}
