import { useEffect } from 'preact/hooks'
import { ticketPath } from '../../api/addresses.ts'
import { endInHand, type LineBody, type RunningBody, type WaitingBody } from '../../api/desk.ts'
import { titlePage } from '../../frame/about.ts'
import { liveDesk, liveLine, liveResource } from '../../live/live.ts'
import { screenPath } from '../../navigation.ts'
import { BackendTable } from '../../parts/backend-table.tsx'
import { CallerText } from '../../parts/caller-text.tsx'
import { duration, plural } from '../../parts/format.ts'
import { say } from '../../parts/notice.tsx'
import { Panel } from '../../parts/panel.tsx'
import parts from '../../parts/parts.module.css'
import { RowHints, rowOf, ScrollingTable, useRowKeys } from '../../parts/scrolling-table.tsx'
import styles from './line.module.css'

/** Every backend, who runs on it, and who waits, in order. */
export function LineScreen() {
  const desk = liveDesk.value
  const line = liveLine.value
  const end = async (hand: string) => {
    const answer = await endInHand(hand)
    if (!answer.ok) say(answer.problem.details, true)
    else if (answer.value.stopped) say('Cancelled. Its backend has stopped.')
    else say('Cancelled. Its backend has not stopped yet; the server goes on stopping it.')
  }
  useRowKeys()
  useEffect(() => titlePage('Line'), [])
  return (
    <div class={styles.screen}>
      <div class={parts.actions}>
        <h1>Line</h1>
        {line && <span>of {line.worker}</span>}
      </div>
      <Panel resource={liveResource(desk && line && { desk, line })}>
        {(value) => (
          <>
            <BackendTable backends={value.desk.backends} steers />
            {value.line.running.length + value.line.waiting.length === 0 && (
              <p>
                Nothing runs and nothing waits. Send something in <a href={screenPath('compose')}>Compose</a>.
              </p>
            )}
            <Running line={value.line} end={end} />
            <Waiting line={value.line} end={end} />
          </>
        )}
      </Panel>
      <RowHints />
    </div>
  )
}

interface InHandProps {
  readonly line: LineBody
  readonly end: (hand: string) => void
}

function Running({ line, end }: InHandProps) {
  return (
    <section aria-labelledby="running">
      <h2 id="running">Running, {line.running.length}</h2>
      {line.running.length > 0 && (
        <ScrollingTable name="Running events">
          <table class={parts.table}>
            <thead>
              <tr>
                <th>event</th>
                <th>who</th>
                <th>came by</th>
                <th>backend</th>
                <th>phase</th>
                <th class={parts.numeric}>for</th>
                <th class={parts.numeric}>ends in</th>
                <th class={parts.act}>stop</th>
              </tr>
            </thead>
            <tbody>
              {line.running.map((event) => (
                <tr key={event.hand} {...rowOf({ name: event.event_id, ticket: event.ticket_id })}>
                  <NameCells event={event} />
                  <td>
                    <CallerText text={`${event.backend}/${event.endpoint}`} />
                  </td>
                  <td>{phaseWords(event)}</td>
                  <td class={parts.numeric}>{since(event.seated_at, line.now)}</td>
                  <td class={parts.numeric}>
                    <Progress event={event} now={line.now} />
                    {about(event.ends_in_ms)}
                  </td>
                  <CancelCell event={event} end={end} />
                </tr>
              ))}
            </tbody>
          </table>
        </ScrollingTable>
      )}
    </section>
  )
}

function Waiting({ line, end }: InHandProps) {
  const count = line.waiting.length + line.more
  return (
    <section aria-labelledby="waiting">
      <h2 id="waiting">
        Waiting, {count} of {line.capacity}
      </h2>
      {line.waiting.length > 0 && (
        <ScrollingTable name="Waiting events">
          <table class={parts.table}>
            <thead>
              <tr>
                <th>event</th>
                <th>who</th>
                <th>came by</th>
                <th class={parts.numeric}>place</th>
                <th class={parts.numeric}>priority</th>
                <th class={parts.numeric}>waited</th>
                <th class={parts.numeric}>starts in</th>
                <th class={parts.numeric}>deadline in</th>
                <th class={parts.act}>stop</th>
              </tr>
            </thead>
            <tbody>
              {line.waiting.map((event) => (
                <tr key={event.hand} {...rowOf({ name: event.event_id, ticket: event.ticket_id })}>
                  <NameCells event={event} />
                  <td class={parts.numeric}>{event.position}</td>
                  <td class={parts.numeric}>{event.priority}</td>
                  <td class={parts.numeric}>{since(event.entered_at, line.now)}</td>
                  <td class={parts.numeric}>{about(event.starts_in_ms)}</td>
                  <td class={parts.numeric}>
                    {event.late && <strong class={styles.late}>{lateWords(event, line.now)} </strong>}
                    <time dateTime={event.deadline_at} title={event.deadline_at}>
                      {since(line.now, event.deadline_at)}
                    </time>
                  </td>
                  <CancelCell event={event} end={end} />
                </tr>
              ))}
            </tbody>
          </table>
        </ScrollingTable>
      )}
      {line.more > 0 && <p>and {line.more} more behind them</p>}
    </section>
  )
}

function NameCells({ event }: { readonly event: RunningBody | WaitingBody }) {
  return (
    <>
      <td>
        {event.ticket_id === undefined ? (
          <CallerText text={event.event_id} />
        ) : (
          <a href={ticketPath(event.ticket_id)}>{event.ticket_id}</a>
        )}
      </td>
      <td>
        <CallerText text={event.caller ?? ''} />
      </td>
      <td>
        <CallerText text={event.door ?? ''} />
      </td>
    </>
  )
}

function CancelCell({
  event,
  end,
}: {
  readonly event: RunningBody | WaitingBody
  readonly end: InHandProps['end']
}) {
  return (
    <td class={parts.act}>
      <button
        type="button"
        aria-label={`Cancel ${event.ticket_id ?? event.event_id}`}
        onClick={() => end(event.hand)}
      >
        Cancel
      </button>
    </td>
  )
}

/** How far it is, by the forecast; nothing where there is none. */
function Progress({ event, now }: { readonly event: RunningBody; readonly now: string }) {
  if (event.ends_in_ms === undefined) return null
  const done = Math.max(0, Date.parse(now) - Date.parse(event.seated_at))
  const name = `How far ${event.ticket_id ?? event.event_id} is`
  return <progress aria-label={name} value={done} max={Math.max(1, done + event.ends_in_ms)} />
}

function phaseWords({ phase, chars, tokens_per_second: speed }: RunningBody): string {
  const written = chars > 0 && plural(chars, 'character')
  const pace = phase === 'writing' && speed !== undefined && `~${Math.round(speed)} tok/s`
  return [phase, written, pace].filter(Boolean).join(', ')
}

/** By how much, where its turn alone already comes too late. */
function lateWords({ deadline_at: deadline, starts_in_ms: starts }: WaitingBody, now: string): string {
  const byMs = Date.parse(now) + (starts ?? 0) - Date.parse(deadline)
  return byMs > 0 ? `late by ~${duration(byMs)},` : 'late,'
}

const since = (from: string, now: string): string => duration(Math.max(0, Date.parse(now) - Date.parse(from)))

const about = (ms: number | null | undefined): string => (ms == null ? '' : `~${duration(ms)}`)
