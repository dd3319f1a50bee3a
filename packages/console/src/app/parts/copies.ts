import { apiRoot } from '../api/addresses.ts'
import { hasKey } from '../api/key.ts'
import { turnsOf } from '../api/prompt-turns.ts'
import type { TicketBody } from '../api/tickets.ts'

/** What can be copied of an event. The key is never in it: a variable stands for it. */

/** Sends the same event as a ticket. */
export function curlOf(event: object): string {
  const key = hasKey() ? ` -H "Authorization: Bearer $AI_TICKET_KEY"` : ''
  const body = JSON.stringify(withoutId(event)).replaceAll("'", "'\\''")
  return `curl ${location.origin}${apiRoot}tickets${key} -H 'content-type: application/json' -d '${body}'`
}

/** Asks in a program. */
export function codeOf(event: object): string {
  const given = JSON.stringify(withoutId(event), null, 2)
  return `import { onEvent } from '@ai-ticket/core'\n\nconst { completion, error, details } = await onEvent(${given})\n`
}

/** A line for \`ai-ticket batch\`. */
export const batchLineOf = (event: object): string => `${JSON.stringify(event)}\n`

/** The turns with their roles; of a single one only its text. */
export function promptOf({ event }: TicketBody): string {
  const turns = turnsOf(event?.content)
  if (turns.length === 1) return turns[0]?.text ?? ''
  return turns.map(({ role, text }) => `${role}: ${text}`).join('\n\n')
}

/** The answer, or how far it came. */
export const answerOf = ({ outcome, partial }: TicketBody): string =>
  outcome?.completion ?? outcome?.partial ?? partial ?? ''

function withoutId(event: object): object {
  const { id: _own, ...rest } = event as { readonly id?: unknown }
  return rest
}

/** Without a secure context (plain HTTP on a LAN name) there is no clipboard, and the browser's old way remains. */
export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text)
    return true
  } catch {
    const field = Object.assign(document.createElement('textarea'), { value: text })
    const before = document.activeElement
    document.body.append(field)
    field.select()
    const done = document.execCommand('copy')
    field.remove()
    if (before instanceof HTMLElement) before.focus()
    return done
  }
}
