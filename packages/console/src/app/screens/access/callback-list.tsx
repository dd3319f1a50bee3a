import { useEffect } from 'preact/hooks'
import { ticketPath } from '../../api/addresses.ts'
import { type CallbackBody, type CallbackPage, listCallbacks, resendCallback } from '../../api/tickets.ts'
import { liveDesk } from '../../live/live.ts'
import { CallerText } from '../../parts/caller-text.tsx'
import { say } from '../../parts/notice.tsx'
import { Panel } from '../../parts/panel.tsx'
import parts from '../../parts/parts.module.css'
import { rowOf, ScrollingTable } from '../../parts/scrolling-table.tsx'
import { type Resource, useResource } from '../../parts/use-resource.ts'
import { When } from '../../parts/when.tsx'

type Kind = 'pending' | 'dead'

/** Asks when the feed says that their number has changed. */
export function useCallbacks(status: Kind): Resource<CallbackPage> {
  const callbacks = useResource(`callbacks ${status}`, (signal) => listCallbacks(status, signal))
  const count = liveDesk.value?.callbacks?.[status]
  useEffect(callbacks.reload, [count])
  return callbacks
}

interface ListProps {
  readonly callbacks: Resource<CallbackPage>
  readonly status: Kind
  readonly reload: () => void
}

const WORDS = {
  pending: ['Callbacks to be sent', 'None waits.', 'Send now'],
  dead: ['Callbacks that were given up', 'None was.', 'Send again'],
} as const

export function CallbackList({ callbacks, status, reload }: ListProps) {
  const [title, none, action] = WORDS[status]
  const send = async (id: string) => {
    const answer = await resendCallback(id)
    if (answer.ok) say('It is sent again.')
    else say(answer.problem.details, true)
    reload()
  }
  return (
    <section aria-labelledby={status}>
      <h2 id={status}>{title}</h2>
      <Panel resource={callbacks}>
        {({ data, next_cursor: more }) =>
          data.length === 0 ? (
            <p>{none}</p>
          ) : (
            <>
              <ScrollingTable name={`Callbacks, ${status}`}>
                <table class={parts.table}>
                  <thead>
                    <tr>
                      <th>ticket</th>
                      <th>receiver</th>
                      <th class={parts.numeric}>attempts</th>
                      <th>last</th>
                      <th>what went wrong</th>
                      <th class={parts.act}>again</th>
                    </tr>
                  </thead>
                  <tbody>
                    {data.map((callback) => (
                      <Row key={callback.webhook_id} callback={callback} action={action} send={send} />
                    ))}
                  </tbody>
                </table>
              </ScrollingTable>
              {more !== undefined && <p>These are of the newest tickets; there are more.</p>}
            </>
          )
        }
      </Panel>
    </section>
  )
}

interface RowProps {
  readonly callback: CallbackBody
  readonly action: string
  readonly send: (ticketId: string) => void
}

function Row({ callback: { ticket_id: id, url, attempts }, action, send }: RowProps) {
  const last = attempts.at(-1)
  return (
    <tr {...rowOf({ ticket: id, value: url })}>
      <td>
        <a href={`${ticketPath(id)}?tab=callbacks`}>{id}</a>
      </td>
      <td>
        <CallerText text={url} />
      </td>
      <td class={parts.numeric}>{attempts.length}</td>
      <td>{last && <When at={last.at} />}</td>
      <td>
        {last?.error}
        {last?.error && last.details && ': '}
        <CallerText text={last?.details ?? ''} />
      </td>
      <td class={parts.act}>
        <button type="button" aria-label={`${action}: ${id}`} onClick={() => send(id)}>
          {action}
        </button>
      </td>
    </tr>
  )
}
