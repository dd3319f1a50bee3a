import { useState } from 'preact/hooks'
import { useLocation } from 'preact-iso/router'
import { comparePath, ticketPath } from '../../api/addresses.ts'
import type { Answer } from '../../api/client.ts'
import { cancelTicket, replayTicket, type TicketBody } from '../../api/tickets.ts'
import type { ShortcutId } from '../../keyboard/shortcuts.ts'
import { useShortcuts } from '../../keyboard/use-shortcuts.ts'
import { isOver } from '../../live/use-live-ticket.ts'
import { Action } from '../../parts/action.tsx'
import { answerOf, batchLineOf, codeOf, copyText, curlOf, promptOf } from '../../parts/copies.ts'
import { lateDialog } from '../../parts/dialog.tsx'
import { say } from '../../parts/notice.tsx'
import styles from '../../parts/parts.module.css'

const EditDialog = lateDialog(() => import('../compare/ticket-dialogs.tsx').then((late) => late.EditDialog))
const CompareDialog = lateDialog(() =>
  import('../compare/ticket-dialogs.tsx').then((late) => late.CompareDialog),
)

interface ActionsProps {
  readonly ticket: TicketBody
  readonly reload: () => void
}

/** Replay, edit, compare, cancel and copy. */
export function TicketActions({ ticket, reload }: ActionsProps) {
  const { route } = useLocation()
  const [busy, setBusy] = useState<string>()
  const [asked, ask] = useState<'edit' | 'compare'>()
  const close = () => ask(undefined)
  const work = async (
    words: string,
    send: () => Promise<Answer<TicketBody>>,
    done: (ticket: TicketBody, status: number) => void,
  ) => {
    setBusy(words)
    const answer = await send()
    setBusy(undefined)
    if (answer.ok) done(answer.value, answer.status)
    else say(answer.problem.details, true)
  }
  const replayed = ({ id }: TicketBody) => {
    say(`Sent again as ${id}.`)
    route(ticketPath(id))
  }
  const replay = () => work('It is being sent', () => replayTicket(ticket.id), replayed)
  const cancel = () =>
    work(
      'It is being stopped',
      () => cancelTicket(ticket.id),
      (ended, status) => {
        say(status === 200 ? stopWords(ended) : 'It has not stopped yet. The server goes on stopping it.')
        reload()
      },
    )
  const cannotReplay = busy ?? (ticket.event === null ? 'Its content was not kept' : undefined)
  const cannotCancel = busy ?? (isOver(ticket) ? 'It has ended' : undefined)
  const edit = () => ask('edit')
  const compare = () =>
    ticket.replay_of === undefined ? ask('compare') : route(comparePath(ticket.replay_of, ticket.id))
  useShortcuts({
    replay: () => (cannotReplay === undefined ? replay() : say(`${cannotReplay}.`, true)),
    edit: () => (cannotReplay === undefined ? edit() : say(`${cannotReplay}.`, true)),
    compare,
    cancel: () => (cannotCancel === undefined ? cancel() : say(`${cannotCancel}.`, true)),
  })
  return (
    <div class={styles.actions}>
      <Action does={replay} keys="replay" unable={cannotReplay}>
        Replay
      </Action>
      <Action does={edit} keys="edit" unable={cannotReplay}>
        Edit
      </Action>
      <Action does={compare} keys="compare">
        Compare
      </Action>
      <Action does={cancel} keys="cancel" look="danger" unable={cannotCancel}>
        Cancel
      </Action>
      <CopyActions ticket={ticket} />
      <Asked what={asked} ticket={ticket} close={close} />
    </div>
  )
}

interface AskedProps {
  readonly what: 'edit' | 'compare' | undefined
  readonly ticket: TicketBody
  readonly close: () => void
}

function Asked({ what, ticket, close }: AskedProps) {
  if (what === undefined) return null
  return what === 'edit' ? (
    <EditDialog ticket={ticket} close={close} />
  ) : (
    <CompareDialog ticket={ticket} close={close} />
  )
}

/** How the backend is known to have stopped, where the server knows it already. */
function stopWords({ attempts }: TicketBody): string {
  const last = attempts.at(-1)
  if (last === undefined) return 'Cancelled before a backend worked on it.'
  if (last.stopped === undefined) return `Cancelled while ${last.backend} worked on it.`
  return `Cancelled. ${last.backend} has stopped: ${last.stopped}.`
}

function CopyActions({ ticket }: { readonly ticket: TicketBody }) {
  const copy = async (what: string, text: string) => {
    if (await copyText(text)) say(`Copied ${what}.`)
    else say('This browser does not let the page copy.', true)
  }
  const ways: readonly (readonly [ShortcutId, string, string | undefined])[] = [
    ['copy.link', 'the link', `${location.origin}${ticketPath(ticket.id)}`],
    ['copy.id', 'the id', ticket.id],
    ['copy.prompt', 'the prompt', promptOf(ticket) || undefined],
    ['copy.answer', 'the answer', answerOf(ticket) || undefined],
    ['copy.curl', 'it as curl', ticket.event ? curlOf(ticket.event) : undefined],
    ['copy.code', 'it as TypeScript', ticket.event ? codeOf(ticket.event) : undefined],
    ['copy.batch', 'it as a line of a batch', ticket.event ? batchLineOf(ticket.event) : undefined],
  ]
  useShortcuts(
    Object.fromEntries(
      ways.map(([id, what, text]) => [
        id,
        () => (text === undefined ? say('There is nothing to copy.', true) : copy(what, text)),
      ]),
    ),
  )
  return (
    <>
      <span>Copy</span>
      {ways.map(([id, what, text]) => (
        <Action
          key={id}
          keys={id}
          does={() => copy(what, text ?? '')}
          unable={text === undefined ? 'There is nothing to copy' : undefined}
        >
          {what.replace(/^(the|it as) /, '')}
        </Action>
      ))}
    </>
  )
}
