import { ticketPath } from '../api/addresses.ts'
import { turnsOf } from '../api/prompt-turns.ts'
import { curlOf, getTicket, type TicketBody, withoutId } from '../api/tickets.ts'
import type { ShortcutId } from '../keyboard/shortcuts.ts'
import { plural } from './format.ts'
import { say } from './notice.tsx'

/** What can be copied of an event. The key is never in it: a variable stands for it. */

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

/** What is copied of a ticket; undefined: it has none of it. */
interface Copy {
  readonly keys: ShortcutId
  readonly what: string
  /** Known by the id alone, so that nothing is asked. */
  readonly ofId?: (id: string) => string
  readonly of?: (ticket: TicketBody) => string | undefined
}

const ofEvent =
  (write: (event: object) => string) =>
  ({ event }: TicketBody): string | undefined =>
    event ? write(event) : undefined

/** In the order of their buttons. */
export const COPIES: readonly Copy[] = [
  { keys: 'copy.link', what: 'the link', ofId: (id) => `${location.origin}${ticketPath(id)}` },
  { keys: 'copy.id', what: 'the id', ofId: (id) => id },
  { keys: 'copy.prompt', what: 'the prompt', of: (ticket) => promptOf(ticket) || undefined },
  { keys: 'copy.answer', what: 'the answer', of: (ticket) => answerOf(ticket) || undefined },
  { keys: 'copy.curl', what: 'it as curl', of: ofEvent(curlOf) },
  { keys: 'copy.code', what: 'it as TypeScript', of: ofEvent(codeOf) },
  { keys: 'copy.batch', what: 'it as a batch line', of: ofEvent(batchLineOf) },
]

/** What a copy of a ticket that is here would hold. */
export const copyOf = ({ of, ofId }: Copy, ticket: TicketBody): string | undefined =>
  ofId?.(ticket.id) ?? of?.(ticket)

export const NOTHING_TO_COPY = 'There is nothing to copy'

/** Copies, and says so. */
export async function copyAs(what: string, text: string | undefined): Promise<void> {
  if (text === undefined) say(`${NOTHING_TO_COPY}.`, true)
  else if (await copyText(text)) say(`Copied ${what}.`)
  else say('This browser does not let the page copy.', true)
}

/** Copies one thing of each of these tickets, one below the other. */
export async function copyTickets(keys: ShortcutId, ids: readonly string[]): Promise<void> {
  const copy = COPIES.find((one) => one.keys === keys)
  if (copy === undefined) return
  const texts: string[] = []
  for (const id of ids) {
    const text = copy.ofId?.(id) ?? (await readCopy(copy, id))
    if (text === null) return
    if (text !== undefined) texts.push(text)
  }
  const what = ids.length === 1 ? copy.what : `${copy.what} of ${plural(texts.length, 'ticket')}`
  await copyAs(what, texts.length === 0 ? undefined : joined(copy, texts))
}

/** Null: it cannot be read, and that is said. */
async function readCopy({ of }: Copy, id: string): Promise<string | undefined | null> {
  const answer = await getTicket(id)
  if (answer.ok) return of?.(answer.value)
  say(`${id} cannot be read: ${answer.problem.details}`, true)
  return null
}

const joined = ({ keys, ofId }: Copy, texts: readonly string[]): string =>
  texts.join(keys === 'copy.batch' ? '' : ofId ? '\n' : '\n\n')

/** Without a secure context (plain HTTP on a LAN name) there is no clipboard, and the browser's old way remains. */
async function copyText(text: string): Promise<boolean> {
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
