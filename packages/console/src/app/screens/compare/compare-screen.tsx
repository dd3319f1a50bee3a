import type { ComponentChildren } from 'preact'
import { useEffect, useMemo, useState } from 'preact/hooks'
import { useLocation, useRoute } from 'preact-iso/router'
import { ticketPath } from '../../api/addresses.ts'
import { serverNow } from '../../api/client.ts'
import type { TicketBody } from '../../api/tickets.ts'
import { titlePage } from '../../frame/about.ts'
import { useShortcuts } from '../../keyboard/use-shortcuts.ts'
import { isOver, useLiveTicket } from '../../live/use-live-ticket.ts'
import { Action } from '../../parts/action.tsx'
import { CallerText } from '../../parts/caller-text.tsx'
import { answerOf, promptOf } from '../../parts/copies.ts'
import { lateDialog } from '../../parts/dialog.tsx'
import { bytes, duration } from '../../parts/format.ts'
import { say } from '../../parts/notice.tsx'
import { Panel } from '../../parts/panel.tsx'
import parts from '../../parts/parts.module.css'
import { ScrollingTable } from '../../parts/scrolling-table.tsx'
import { Status } from '../../parts/status.tsx'
import { When } from '../../parts/when.tsx'
import { buildStory } from '../../story/build-story.ts'
import { Waterfall } from '../../story/waterfall.tsx'
import styles from './compare.module.css'
import { type FieldDifference, fieldDifferences, type Piece, textDifference } from './differences.ts'

const EditDialog = lateDialog(() => import('./ticket-dialogs.tsx').then((late) => late.EditDialog))

interface PairProps {
  readonly one: TicketBody
  readonly other: TicketBody
}

/** Two tickets side by side: what was asked differently, what came of it, and how long each took. */
export function CompareScreen() {
  const { params } = useRoute()
  const { back } = useLocation()
  const first = useLiveTicket(params.a ?? '')
  const second = useLiveTicket(params.b ?? '')
  const [isEditing, setEditing] = useState(false)
  const [one, other] = [first.ticket, second.ticket]
  const pair = one.value && other.value && { one: one.value, other: other.value }
  const problem = one.problem ?? other.problem
  const reload = () => {
    one.reload()
    other.reload()
  }
  const edit = () => {
    if (pair?.other.event) setEditing(true)
    else say('Its content was not kept.', true)
  }
  useShortcuts({ back, reload, edit })
  useEffect(() => titlePage('Compare'), [])
  return (
    <div class={styles.screen}>
      <div class={parts.actions}>
        <h1>Compare</h1>
        <Action does={edit} keys="edit">
          Edit the second and replay
        </Action>
      </div>
      <Panel
        resource={{
          ...(pair && { value: pair }),
          ...(problem && { problem }),
          isLoading: one.isLoading || other.isLoading,
          reload,
        }}
        rows={8}
      >
        {(value) => <Comparison {...value} />}
      </Panel>
      {isEditing && pair && <EditDialog ticket={pair.other} close={() => setEditing(false)} />}
    </div>
  )
}

function Comparison({ one, other }: PairProps) {
  return (
    <div class={styles.screen}>
      <Facts one={one} other={other} />
      <EventDifferences one={one} other={other} />
      <TextDifference title="Prompt" before={promptOf(one)} after={promptOf(other)} />
      <TextDifference title="Answer" before={answerOf(one)} after={answerOf(other)} />
      <Stories one={one} other={other} />
    </div>
  )
}

/** What the outcome is made of, in a row each. */
const FACTS: readonly (readonly [name: string, of: (ticket: TicketBody) => string])[] = [
  ['error', ({ outcome }) => outcome?.error ?? ''],
  ['backend', ({ outcome }) => outcome?.backend ?? ''],
  ['model', ({ outcome }) => outcome?.model ?? ''],
  ['calls', ({ attempts }) => String(attempts.length)],
  ['took', ({ outcome }) => (outcome === undefined ? '' : duration(outcome.duration_ms))],
  ['tokens read', ({ outcome }) => String(outcome?.usage?.prompt_tokens ?? '')],
  ['tokens written', ({ outcome }) => String(outcome?.usage?.completion_tokens ?? '')],
  ['answer', (ticket) => `${answerOf(ticket).length} characters`],
]

function Facts({ one, other }: PairProps) {
  const both = [one, other]
  return (
    <ScrollingTable name="The two tickets">
      <table class={parts.table}>
        <thead>
          <tr>
            <th>
              <span class={parts.hidden}>what</span>
            </th>
            {both.map(({ id }, index) => (
              <th key={index} scope="col">
                {index === 0 ? 'first' : 'second'} <a href={ticketPath(id)}>{id}</a>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          <FactRow name="status" differs={one.status !== other.status}>
            {both.map(({ status }, index) => (
              <td key={index}>
                <Status of={status} />
              </td>
            ))}
          </FactRow>
          <FactRow name="sent" differs={false}>
            {both.map(({ created_at: at }, index) => (
              <td key={index}>
                <When at={at} />
              </td>
            ))}
          </FactRow>
          {FACTS.map(([name, of]) => (
            <FactRow key={name} name={name} differs={of(one) !== of(other)}>
              {both.map((ticket, index) => (
                <td key={index}>
                  <CallerText text={of(ticket)} />
                </td>
              ))}
            </FactRow>
          ))}
        </tbody>
      </table>
    </ScrollingTable>
  )
}

function FactRow({
  name,
  differs,
  children,
}: {
  readonly name: string
  readonly differs: boolean
  readonly children: ComponentChildren
}) {
  return (
    <tr class={differs ? styles.differs : undefined}>
      <th scope="row">
        {differs && <span aria-hidden="true">≠ </span>}
        {name}
        {differs && <span class={parts.hidden}> differs</span>}
      </th>
      {children}
    </tr>
  )
}

const NOT_KEPT = 'The content of one of them was not kept (AI_TICKET_HISTORY).'

function EventDifferences({ one, other }: PairProps) {
  const differences = useMemo(() => fieldDifferences(withoutId(one), withoutId(other)), [one, other])
  return (
    <section aria-labelledby="event">
      <h2 id="event">Event</h2>
      {!(one.event && other.event) ? (
        <p>{NOT_KEPT}</p>
      ) : differences.length === 0 ? (
        <p>Nothing differs.</p>
      ) : (
        <ScrollingTable name="What differs in the event">
          <table class={parts.table}>
            <thead>
              <tr>
                <th>field</th>
                <th>first</th>
                <th>second</th>
              </tr>
            </thead>
            <tbody>
              {differences.slice(0, MOST_FIELDS).map((difference) => (
                <FieldRow key={difference.path} {...difference} />
              ))}
            </tbody>
          </table>
          {differences.length > MOST_FIELDS && <p>and {differences.length - MOST_FIELDS} more</p>}
        </ScrollingTable>
      )}
    </section>
  )
}

const MOST_FIELDS = 100

/** Every event has an id of its own. */
function withoutId({ event }: TicketBody): object {
  const { id: _own, ...rest } = { id: undefined, ...event }
  return rest
}

function FieldRow({ path, before, after }: FieldDifference) {
  return (
    <tr>
      <th scope="row" class={styles.path}>
        <CallerText text={path} />
      </th>
      {[before, after].map((value, index) => (
        <td key={index} class={styles.value}>
          {value === undefined ? <i>not there</i> : <CallerText text={short(value)} />}
        </td>
      ))}
    </tr>
  )
}

const LONGEST_VALUE = 160

const short = (value: string): string =>
  value.length <= LONGEST_VALUE ? value : `${value.slice(0, LONGEST_VALUE)}… (${bytes(value.length)})`

/** Shown at first, and each time that more is asked for. */
const PIECE = 64 * 1_024

function TextDifference({
  title,
  before,
  after,
}: {
  readonly title: string
  readonly before: string
  readonly after: string
}) {
  const pieces = useMemo(() => textDifference(before, after), [before, after])
  const [most, setMost] = useState(PIECE)
  const id = title.toLowerCase()
  const { shown, left } = cut(pieces, most)
  return (
    <section aria-labelledby={id}>
      <h2 id={id}>{title}</h2>
      {before === after && <p>{before === '' ? 'Neither has any text.' : 'The same in both.'}</p>}
      {pieces.length > 0 && (
        <div class={styles.text}>
          {shown.map((piece, index) => (
            <Stretch key={index} {...piece} />
          ))}
          {left > 0 && <Action does={() => setMost(most + PIECE)}>Show more: {bytes(left)} left</Action>}
        </div>
      )}
    </section>
  )
}

function Stretch({ kind, text }: Piece) {
  if (kind === 'same') return <CallerText text={text} />
  const Tag = kind === 'removed' ? 'del' : 'ins'
  return (
    <Tag>
      <span class={parts.hidden}>
        {kind === 'removed' ? ' only in the first: ' : ' only in the second: '}
      </span>
      <CallerText text={text} />
      <span class={parts.hidden}> end of that. </span>
    </Tag>
  )
}

/** The pieces of the first so many characters, and how many are left. */
function cut(
  pieces: readonly Piece[],
  most: number,
): { readonly shown: readonly Piece[]; readonly left: number } {
  let room = most
  const shown = pieces.flatMap((piece) => {
    const text = piece.text.slice(0, room)
    room -= text.length
    return text === '' ? [] : [{ ...piece, text }]
  })
  const all = pieces.reduce((sum, { text }) => sum + text.length, 0)
  return { shown, left: all - (most - room) }
}

const TICK_MS = 250

/** On one scale, so that the longer one is the longer one. */
function Stories({ one, other }: PairProps) {
  const [now, setNow] = useState(serverNow)
  const runs = !isOver(one) || !isOver(other)
  useEffect(() => {
    if (!runs) return
    const timer = setInterval(() => setNow(serverNow), TICK_MS)
    return () => clearInterval(timer)
  }, [runs])
  const [first, second] = [buildStory(one, now), buildStory(other, now)]
  const scaleMs = Math.max(first.durationMs, second.durationMs)
  return (
    <>
      <Waterfall story={first} scaleMs={scaleMs} title="Story of the first" />
      <Waterfall story={second} scaleMs={scaleMs} title="Story of the second" />
    </>
  )
}
