import { useLocation } from 'preact-iso/router'
import { turnsOf } from '../../api/prompt-turns.ts'
import type { TicketBody } from '../../api/tickets.ts'
import type { ShortcutId } from '../../keyboard/shortcuts.ts'
import { useShortcuts } from '../../keyboard/use-shortcuts.ts'
import { Keys } from '../../parts/action.tsx'
import { CallerText } from '../../parts/caller-text.tsx'
import { answerOf } from '../../parts/copies.ts'
import { lateDialog } from '../../parts/dialog.tsx'
import { plural } from '../../parts/format.ts'
import styles from './ticket.module.css'

// Few tickets have any.
const CallbacksTab = lateDialog(() => import('./callbacks-tab.tsx').then((late) => late.CallbacksTab), false)

interface TabProps {
  readonly ticket: TicketBody
  /** What has come of its answer, newer than the ticket. */
  readonly text: string
}

interface ContentProps extends TabProps {
  /** Goes to another tab. */
  readonly leave: () => void
}

interface Tab {
  readonly id: string
  readonly title: (ticket: TicketBody) => string
  readonly content: (props: ContentProps) => preact.ComponentChild
}

const PROMPT: Tab = {
  id: 'prompt',
  title: promptTitle,
  content: ({ ticket }) => <Prompt ticket={ticket} />,
}
const ANSWER: Tab = { id: 'answer', title: () => 'Answer', content: (props) => <AnswerText {...props} /> }

const TABS: readonly Tab[] = [
  PROMPT,
  ANSWER,
  { id: 'data', title: () => 'Data', content: ({ ticket }) => <Data ticket={ticket} /> },
  {
    id: 'callbacks',
    title: () => 'Callbacks',
    content: ({ ticket, leave }) => <CallbacksTab ticket={ticket} close={leave} />,
  },
  { id: 'event', title: () => 'Event', content: ({ ticket }) => <EventJson ticket={ticket} /> },
  { id: 'raw', title: () => 'Raw', content: ({ ticket }) => <Json value={ticket} /> },
]

/** The tab is in the address, so a link leads to what its sender saw. */
export function TicketTabs({ ticket, text }: TabProps) {
  const { query, path, route } = useLocation()
  const current = TABS.find(({ id }) => id === query.tab) ?? (ticket.outcome ? ANSWER : PROMPT)
  const choose = (tab: Tab | undefined) => tab && route(`${path}?tab=${tab.id}`, true)
  useShortcuts(Object.fromEntries(TABS.map((tab, index) => [`tab.${index + 1}`, () => choose(tab)])))
  const step = (by: number) => {
    const at = TABS.indexOf(current)
    const next = TABS[(at + by + TABS.length) % TABS.length]
    choose(next)
    document.getElementById(`tab-${next?.id}`)?.focus()
  }
  return (
    <section class={styles.tab}>
      <div
        class={styles.tabs}
        role="tablist"
        aria-label="Parts of the ticket"
        onKeyDown={({ key }) => {
          if (key === 'ArrowRight') step(1)
          if (key === 'ArrowLeft') step(-1)
        }}
      >
        {TABS.map((tab, index) => (
          <button
            key={tab.id}
            id={`tab-${tab.id}`}
            type="button"
            role="tab"
            aria-selected={tab === current}
            aria-controls="tab-panel"
            tabIndex={tab === current ? 0 : -1}
            onClick={() => choose(tab)}
          >
            {tab.title(ticket)} <Keys of={`tab.${index + 1}` as ShortcutId} />
          </button>
        ))}
      </div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a panel without buttons is read with the arrow keys */}
      <div id="tab-panel" role="tabpanel" aria-labelledby={`tab-${current.id}`} tabIndex={0}>
        {current.content({ ticket, text, leave: () => choose(PROMPT) })}
      </div>
    </section>
  )
}

function promptTitle({ event }: TicketBody): string {
  const turns = turnsOf(event?.content)
  return turns.length > 1 ? `Prompt, ${plural(turns.length, 'turn')}` : 'Prompt'
}

const NOT_KEPT = 'The content of this event was not kept (AI_TICKET_HISTORY).'

function Prompt({ ticket: { event } }: { readonly ticket: TicketBody }) {
  if (!event) return <p class={styles.dim}>{NOT_KEPT}</p>
  return (
    <>
      {turnsOf(event.content).map(({ role, text, images }, index) => (
        <div key={index} class={styles.turn}>
          <span class={styles.role}>
            <CallerText text={role} />
          </span>
          <div>
            <CallerText text={text} long />
            {images.map((image) => (
              <p key={image} class={styles.dim}>
                Image: <CallerText text={image} />
              </p>
            ))}
          </div>
        </div>
      ))}
    </>
  )
}

function AnswerText({ ticket, text }: TabProps) {
  const { outcome } = ticket
  const answer = outcome === undefined && text !== '' ? text : answerOf(ticket)
  return (
    <>
      {outcome?.error !== undefined && (
        <div class={styles.failure}>
          <strong>{outcome.error}</strong>
          <span>
            <CallerText text={outcome.details} />
          </span>
        </div>
      )}
      {outcome?.finish_reason === 'length' && (
        <p class={styles.dim}>The answer was cut: it reached its longest length.</p>
      )}
      {outcome?.reasoning !== undefined && (
        <details>
          <summary>What the model thought first</summary>
          <CallerText text={outcome.reasoning} long />
        </details>
      )}
      {answer === '' ? (
        <p class={styles.dim}>{outcome === undefined ? 'Nothing has come yet.' : 'There is no text.'}</p>
      ) : null}
      {answer !== '' && <CallerText text={answer} long />}
    </>
  )
}

function Data({ ticket: { outcome } }: { readonly ticket: TicketBody }) {
  if (outcome?.data === undefined) {
    return (
      <p class={styles.dim}>There is no validated data: the event has no schema, or no answer matched it.</p>
    )
  }
  return <Json value={outcome.data} />
}

function EventJson({ ticket: { event } }: { readonly ticket: TicketBody }) {
  return event ? <Json value={event} /> : <p class={styles.dim}>{NOT_KEPT}</p>
}

function Json({ value }: { readonly value: unknown }) {
  return (
    <div class={styles.json}>
      <CallerText text={JSON.stringify(value, null, 2)} long />
    </div>
  )
}
