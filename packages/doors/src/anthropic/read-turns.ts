import type { Turn } from '@ai-ticket/core'
import { type Parts, type ReadBlocks, readContent, textOf } from './read-blocks.ts'
import { type Fields, recordsAt, refuse } from './read-fields.ts'

/**
 * Claude Code's note for Anthropic's bill. It is no part of the prompt and differs from request to request, so a backend
 * would read the whole prompt again each time.
 */
const BILLING = /^x-anthropic-billing-header:/

/**
 * The conversation of a request as turns of an event: `system` first, the results of tools before the text of their
 * message. Many chat templates refuse a system turn in the middle, so such a message stands before the text of a turn of
 * the user: the one that it follows (Claude Code's), else the next. Throws a `RequestProblem` that names the field.
 */
export function readTurns({ system, messages }: Fields): Turn[] {
  const heads = [...readSystem(system)]
  const turns: Turn[] = []
  let notes: string[] = []
  const list = messagesAt(messages)
  for (const [index, message] of list.entries()) {
    const path = `messages[${index}]`
    const read = readContent(message.content, `${path}.content`)
    if (message.role === 'system') {
      if (list[index - 1]?.role !== 'user') (turns.length === 0 ? heads : notes).push(textOf(read.parts))
    } else if (message.role === 'assistant') {
      if (notes.length > 0) turns.push(userTurn(notes, []))
      turns.push(assistantTurn(read))
      notes = []
    } else if (message.role === 'user') {
      turns.push(...userTurns(read, [...notes, ...notesAfter(list, index)]))
      notes = []
    } else throw refuse(`${path}.role`, 'must be user, assistant or system.')
  }
  if (notes.length > 0) turns.push(userTurn(notes, []))
  const head = heads.join('\n\n')
  return head === '' ? turns : [{ role: 'system', content: head }, ...turns]
}

/** What the system message right behind this one says. */
function notesAfter(messages: readonly Fields[], index: number): string[] {
  const next = messages[index + 1]
  if (next?.role !== 'system') return []
  return [textOf(readContent(next.content, `messages[${index + 1}].content`).parts)]
}

function messagesAt(messages: unknown): readonly Fields[] {
  if (!Array.isArray(messages) || messages.length === 0) {
    throw refuse('messages', 'must be a list with at least one message.')
  }
  return recordsAt(messages, 'messages')
}

function readSystem(system: unknown): string[] {
  if (system == null) return []
  const { parts } = readContent(system, 'system')
  return parts.flatMap((part) => (part.type === 'text' && !BILLING.test(part.text) ? part.text : []))
}

function assistantTurn({ parts, calls }: ReadBlocks): Turn {
  const content = textOf(parts)
  if (calls.length === 0) return { role: 'assistant', content }
  return { role: 'assistant', content: content === '' ? null : content, tool_calls: [...calls] }
}

function userTurns({ parts, results }: ReadBlocks, notes: readonly string[]): Turn[] {
  const turns: Turn[] = results.map(({ id, text }) => ({ role: 'tool', tool_call_id: id, content: text }))
  const seen = [...results.flatMap(({ images }) => images), ...parts]
  const isOnlyResults = results.length > 0 && seen.length === 0 && notes.length === 0
  return isOnlyResults ? turns : [...turns, userTurn(notes, seen)]
}

function userTurn(notes: readonly string[], parts: Parts): Turn {
  const all: Parts = [...notes.map((text) => ({ type: 'text', text }) as const), ...parts]
  const hasImages = all.some(({ type }) => type === 'image_url')
  return { role: 'user', content: hasImages ? [...all] : textOf(all) }
}
