import { useState } from 'preact/hooks'
import { useLocation } from 'preact-iso/router'
import { comparePath, ticketPath } from '../../api/addresses.ts'
import type { Answer } from '../../api/client.ts'
import { cancelTicket, replayTicket, type TicketBody } from '../../api/tickets.ts'
import { useShortcuts } from '../../keyboard/use-shortcuts.ts'
import { isOver } from '../../live/use-live-ticket.ts'
import { Action } from '../../parts/action.tsx'
import { COPIES, copyAs, copyOf, NOTHING_TO_COPY } from '../../parts/copies.ts'
import { lateDialog } from '../../parts/dialog.tsx'
import { stopWords } from '../../parts/format.ts'
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
  const stopped = ({ attempts }: TicketBody, status: number) => {
    say(status === 200 ? stopWords(attempts) : 'It has not stopped yet. The server goes on stopping it.')
    reload()
  }
  const cancel = () => work('It is being stopped', () => cancelTicket(ticket.id), stopped)
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

function CopyActions({ ticket }: { readonly ticket: TicketBody }) {
  const ways = COPIES.map((copy) => ({ ...copy, text: copyOf(copy, ticket) }))
  useShortcuts(Object.fromEntries(ways.map(({ keys, what, text }) => [keys, () => copyAs(what, text)])))
  return (
    <>
      <span>Copy</span>
      {ways.map(({ keys, what, text }) => (
        <Action
          key={keys}
          keys={keys}
          does={() => copyAs(what, text)}
          unable={text === undefined ? NOTHING_TO_COPY : undefined}
        >
          {what.replace(/^(the|it as) /, '')}
        </Action>
      ))}
    </>
  )
}
