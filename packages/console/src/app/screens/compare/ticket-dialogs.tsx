import { useEffect, useRef, useState } from 'preact/hooks'
import { useLocation } from 'preact-iso/router'
import { comparePath, ticketPath } from '../../api/addresses.ts'
import type { Problem } from '../../api/client.ts'
import { listTickets, replayTicket, type TicketBody } from '../../api/tickets.ts'
import { isPressOf } from '../../keyboard/presses.ts'
import { followTicket } from '../../live/follow-ticket.ts'
import { Action } from '../../parts/action.tsx'
import { CallerText } from '../../parts/caller-text.tsx'
import { Dialog } from '../../parts/dialog.tsx'
import { say } from '../../parts/notice.tsx'
import { ProblemNote } from '../../parts/panel.tsx'
import parts from '../../parts/parts.module.css'
import { Status } from '../../parts/status.tsx'
import { useResource } from '../../parts/use-resource.ts'
import styles from './compare.module.css'
import { changesOf } from './differences.ts'

interface DialogProps {
  readonly ticket: TicketBody
  readonly close: () => void
}

/** Where the replay of an edited event is. */
type Sent =
  | { readonly kind: 'writing' }
  | { readonly kind: 'sending' }
  | { readonly kind: 'refused'; readonly problem: Problem }
  | { readonly kind: 'runs'; readonly id: string; readonly status: string; readonly length: number }

/** Changes the event of a ticket, runs it as a replay, and compares the two once it has ended. */
export function EditDialog({ ticket, close }: DialogProps) {
  const { route } = useLocation()
  const { sent, send } = useReplay(ticket, (id) => {
    close()
    route(comparePath(ticket.id, id))
  })
  return (
    <Dialog title="Edit and replay" close={close}>
      {sent.kind === 'runs' ? (
        <div class={styles.form}>
          <p role="status">
            <Status of={sent.status} /> {sent.length > 0 && `${sent.length} characters. `}
            When it has ended, the two are compared.
          </p>
          <p class={parts.actions}>
            <Action does={() => route(comparePath(ticket.id, sent.id))}>Compare now</Action>
            <Action does={() => route(ticketPath(sent.id))}>Open {sent.id}</Action>
            <Action does={close}>Let it run, and stay here</Action>
          </p>
        </div>
      ) : (
        <EditForm ticket={ticket} close={close} send={send} sent={sent} />
      )}
    </Dialog>
  )
}

/** Sends a replay and hears how it goes. Closing leaves it to run. */
function useReplay(ticket: TicketBody, ended: (id: string) => void) {
  const [sent, setSent] = useState<Sent>({ kind: 'writing' })
  const leaving = useRef(new AbortController())
  useEffect(() => () => leaving.current.abort(), [])
  const send = async (changes: object) => {
    setSent({ kind: 'sending' })
    const { signal } = leaving.current
    const answer = await replayTicket(ticket.id, changes)
    if (signal.aborted) return
    if (!answer.ok) return setSent({ kind: 'refused', problem: answer.problem })
    const { id, status } = answer.value
    setSent({ kind: 'runs', id, status, length: 0 })
    await followTicket(id, {
      signal,
      hear(news) {
        if (news.kind === 'end') ended(id)
        if (news.kind === 'lost' && news.problem.status >= 400) say(news.problem.details, true)
        setSent((before) => {
          if (before.kind !== 'runs') return before
          if (news.kind === 'status') return { ...before, status: news.status, length: 0 }
          return news.kind === 'delta' ? { ...before, length: before.length + news.text.length } : before
        })
      },
    })
  }
  return { sent, send }
}

interface FormProps extends DialogProps {
  readonly sent: Sent
  readonly send: (changes: object) => void
}

/** A prompt that is one text is edited as text; whatever else the event has, as JSON. */
function EditForm({ ticket: { event }, close, send, sent }: FormProps) {
  const { id: _own, content, ...others } = { id: undefined, content: undefined, ...event }
  const isText = typeof content === 'string'
  const [prompt, setPrompt] = useState(isText ? content : '')
  const [rest, setRest] = useState(() => JSON.stringify(isText ? others : { content, ...others }, null, 2))
  const [problem, setProblem] = useState('')
  const isBusy = sent.kind === 'sending'
  const submit = () => {
    if (isBusy) return
    const read = readObject(rest)
    if (typeof read === 'string') return setProblem(read)
    const changes = changesOf(event ?? {}, { ...read, ...(isText && { content: prompt }) })
    if (Object.keys(changes).length === 0)
      return setProblem('Nothing is changed. Change something, or replay the ticket as it is.')
    setProblem('')
    send(changes)
  }
  const onSubmit = (event: Event) => {
    event.preventDefault()
    submit()
  }
  return (
    <form
      class={styles.form}
      onSubmit={onSubmit}
      onKeyDown={(event) => isPressOf(event, 'send') && onSubmit(event)}
    >
      {isText && (
        <label>
          Prompt
          <textarea rows={8} value={prompt} onInput={(event) => setPrompt(event.currentTarget.value)} />
        </label>
      )}
      <label>
        {isText ? 'Everything else, as JSON' : 'Event, as JSON'}
        <textarea
          class={styles.json}
          rows={isText ? 6 : 14}
          spellcheck={false}
          value={rest}
          onInput={(event) => setRest(event.currentTarget.value)}
        />
      </label>
      {problem !== '' && (
        <p class={styles.bad} role="alert">
          {problem}
        </p>
      )}
      {sent.kind === 'refused' && <ProblemNote problem={sent.problem} />}
      <p class={parts.actions}>
        <Action does={submit} keys="send" look="primary" unable={isBusy ? 'It is being sent' : undefined}>
          Replay
        </Action>
        <Action does={close}>Not now</Action>
      </p>
    </form>
  )
}

/** The object that a text holds, or what is wrong with it. */
function readObject(text: string): object | string {
  try {
    const value: unknown = JSON.parse(text === '' ? '{}' : text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value
    return 'The event must be a JSON object.'
  } catch (error) {
    return `This is not JSON: ${error instanceof Error ? error.message : String(error)}`
  }
}

/** Asks which ticket to compare with: one of its replays, or any other. */
export function CompareDialog({ ticket, close }: DialogProps) {
  const { route } = useLocation()
  const [problem, setProblem] = useState('')
  const replays = useResource(`replays of ${ticket.id}`, (signal) =>
    listTickets({ replay_of: ticket.id }, { limit: 10, signal }),
  )
  const compare = (other: string) => {
    close()
    route(comparePath(ticket.id, other))
  }
  return (
    <Dialog title="Compare with" close={close}>
      <form
        class={styles.form}
        onSubmit={(event) => {
          event.preventDefault()
          const field = event.currentTarget.elements.namedItem('other')
          if (!(field instanceof HTMLInputElement)) return
          const [other] = /tkt_[\w-]+/.exec(field.value) ?? []
          if (other === undefined) return setProblem('The id of a ticket begins with tkt_.')
          if (other === ticket.id) return setProblem('This is the ticket itself.')
          compare(other)
        }}
      >
        <label>
          Id or address of the other ticket
          <input name="other" autocomplete="off" spellcheck={false} required />
        </label>
        {problem !== '' && (
          <p class={styles.bad} role="alert">
            {problem}
          </p>
        )}
        <p class={parts.actions}>
          <button type="submit" class={parts.primary}>
            Compare
          </button>
          <Action does={close}>Not now</Action>
        </p>
        {(replays.value?.rows.length ?? 0) > 0 && (
          <section aria-label="Its replays">
            <p>Or with one of its replays:</p>
            <ul class={styles.replays}>
              {replays.value?.rows.map(({ id, status, prompt }) => (
                <li key={id}>
                  <Action does={() => compare(id)}>{id}</Action> <Status of={status} />{' '}
                  <CallerText text={(prompt ?? '').slice(0, 60)} />
                </li>
              ))}
            </ul>
          </section>
        )}
      </form>
    </Dialog>
  )
}
