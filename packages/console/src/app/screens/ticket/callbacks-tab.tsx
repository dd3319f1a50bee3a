import { type CallbackBody, getCallbacks, resendCallback, type TicketBody } from '../../api/tickets.ts'
import { CallerText } from '../../parts/caller-text.tsx'
import { duration } from '../../parts/format.ts'
import { say } from '../../parts/notice.tsx'
import { Panel } from '../../parts/panel.tsx'
import tables from '../../parts/parts.module.css'
import { ScrollingTable } from '../../parts/scrolling-table.tsx'
import { useResource } from '../../parts/use-resource.ts'
import { When } from '../../parts/when.tsx'
import styles from './ticket.module.css'

/** Which address was told that it had ended, and how each try went. */
export function CallbacksTab({ ticket }: { readonly ticket: TicketBody; readonly close: () => void }) {
  const callbacks = useResource(`callbacks ${ticket.id}`, (signal) => getCallbacks(ticket.id, signal))
  const resend = async () => {
    const answer = await resendCallback(ticket.id)
    if (answer.ok) say('It is sent again.')
    else say(answer.problem.details, true)
    callbacks.reload()
  }
  return (
    <Panel resource={callbacks}>
      {({ data }) =>
        data.length === 0 ? (
          <p class={styles.dim}>This ticket has no `callback_url`.</p>
        ) : (
          data.map((callback) => <Callback key={callback.webhook_id} callback={callback} resend={resend} />)
        )
      }
    </Panel>
  )
}

function Callback({ callback, resend }: { readonly callback: CallbackBody; readonly resend: () => void }) {
  return (
    <>
      <p class={tables.actions}>
        <CallerText text={callback.url} /> <span class={tables.chip}>{callback.status ?? 'unknown'}</span>
        <button type="button" onClick={resend}>
          Send again
        </button>
      </p>
      <ScrollingTable name="Attempts">
        <table class={tables.table}>
          <thead>
            <tr>
              <th>time</th>
              <th class={tables.numeric}>took</th>
              <th>reply</th>
              <th>what went wrong</th>
            </tr>
          </thead>
          <tbody>
            {callback.attempts.map(({ at, duration_ms, status, error, details }) => (
              <tr key={at}>
                <td>
                  <When at={at} />
                </td>
                <td class={tables.numeric}>{duration(duration_ms)}</td>
                <td>{status ?? 'none'}</td>
                <td>
                  {error}
                  {error && details && ': '}
                  <CallerText text={details ?? ''} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </ScrollingTable>
    </>
  )
}
