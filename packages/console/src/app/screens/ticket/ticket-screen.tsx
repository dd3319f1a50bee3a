import { useEffect, useState } from 'preact/hooks'
import { useLocation, useRoute } from 'preact-iso/router'
import { ticketPath } from '../../api/addresses.ts'
import { serverNow } from '../../api/client.ts'
import type { TicketBody } from '../../api/tickets.ts'
import { titlePage } from '../../frame/about.ts'
import { useShortcuts } from '../../keyboard/use-shortcuts.ts'
import { isOver, useLiveTicket } from '../../live/use-live-ticket.ts'
import { CallerText } from '../../parts/caller-text.tsx'
import { say } from '../../parts/notice.tsx'
import { Panel } from '../../parts/panel.tsx'
import facts from '../../parts/parts.module.css'
import { Status } from '../../parts/status.tsx'
import { stepInList } from '../../parts/ticket-views.ts'
import { When } from '../../parts/when.tsx'
import { buildStory } from '../../story/build-story.ts'
import { Waterfall } from '../../story/waterfall.tsx'
import styles from './ticket.module.css'
import { TicketActions } from './ticket-actions.tsx'
import { TicketTabs } from './ticket-tabs.tsx'

/** One ticket: its story, what was asked and answered, and what can be done about it. */
export function TicketScreen() {
  const { params } = useRoute()
  const id = params.id ?? ''
  const { back, route } = useLocation()
  const { ticket, text, lost } = useLiveTicket(id)
  const status = ticket.value?.status
  const step = (by: 1 | -1) => {
    const next = stepInList(id, by)
    // In place of this one, so that Back leads to the list.
    if (next !== undefined) route(ticketPath(next), true)
    else say(`There is no ${by === 1 ? 'next' : 'previous'} ticket in the list that you came from.`, true)
  }
  useShortcuts({
    back,
    reload: ticket.reload,
    'ticket.previous': () => step(-1),
    'ticket.next': () => step(1),
  })
  useEffect(() => titlePage(status === undefined ? id : `${status} ${id}`), [id, status])
  return (
    <div class={styles.screen}>
      <div class={styles.head}>
        <h1>
          <CallerText text={id} />
        </h1>
        {status !== undefined && <Status of={status} />}
        {lost !== undefined && <span role="status">Not live: {lost}</span>}
      </div>
      <Panel resource={ticket} rows={8}>
        {(value) => (
          <div class={styles.screen}>
            <TicketFacts ticket={value} />
            <TicketActions ticket={value} reload={ticket.reload} />
            <LiveStory ticket={value} />
            <TicketTabs ticket={value} text={text} />
          </div>
        )}
      </Panel>
    </div>
  )
}

const TICK_MS = 250

/** Grows with the clock while the ticket has not ended. */
function LiveStory({ ticket }: { readonly ticket: TicketBody }) {
  const [now, setNow] = useState(serverNow)
  const runs = !isOver(ticket)
  useEffect(() => {
    if (!runs) return
    const timer = setInterval(() => setNow(serverNow), TICK_MS)
    return () => clearInterval(timer)
  }, [runs])
  return <Waterfall story={buildStory(ticket, now)} />
}

function TicketFacts({ ticket }: { readonly ticket: TicketBody }) {
  const { outcome } = ticket
  return (
    <dl class={facts.facts}>
      <Fact name="sent">
        <When at={ticket.created_at} />
      </Fact>
      {ticket.caller !== undefined && (
        <Fact name="by">
          <CallerText text={ticket.caller} />
        </Fact>
      )}
      {ticket.door !== undefined && (
        <Fact name="came by">
          <CallerText text={ticket.door} />
        </Fact>
      )}
      <Fact name="event">
        <CallerText text={ticket.event_id} />
      </Fact>
      {outcome?.backend !== undefined && (
        <Fact name="answered by">
          <CallerText text={`${outcome.backend}, ${outcome.model ?? 'a model that it does not name'}`} />
        </Fact>
      )}
      {outcome?.usage && (
        <Fact name="tokens">
          {outcome.usage.prompt_tokens} read, {outcome.usage.completion_tokens} written
        </Fact>
      )}
      {ticket.priority !== 0 && <Fact name="priority">{ticket.priority}</Fact>}
      {ticket.expires_at !== undefined && (
        <Fact name="expires">
          <When at={ticket.expires_at} />
        </Fact>
      )}
      {ticket.replay_of !== undefined && (
        <Fact name="replayed from">
          <a href={ticketPath(ticket.replay_of)}>{ticket.replay_of}</a>
        </Fact>
      )}
    </dl>
  )
}

function Fact({ name, children }: { readonly name: string; readonly children: preact.ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  )
}
