import { useState } from 'preact/hooks'
import { cancelTicket, curlOf, getTicket, replayTicket, type TicketRow } from '../../api/tickets.ts'
import { useShortcuts } from '../../keyboard/use-shortcuts.ts'
import { screenPath } from '../../navigation.ts'
import { Action } from '../../parts/action.tsx'
import { CallerText } from '../../parts/caller-text.tsx'
import { answerOf, promptOf } from '../../parts/copies.ts'
import { plural } from '../../parts/format.ts'
import { say } from '../../parts/notice.tsx'
import { Panel } from '../../parts/panel.tsx'
import { useResource } from '../../parts/use-resource.ts'
import type { Filters } from './filters.ts'
import styles from './tickets.module.css'

interface SelectionProps {
  readonly rows: readonly TicketRow[]
  /** Nothing is selected any more. */
  readonly close: () => void
  /** Esc closes what is peeked at first. */
  readonly isPeeking: boolean
  readonly reload: () => void
}

type Work = (row: TicketRow) => Promise<{ readonly ok: boolean }>

/** What can be done with the selected rows, one after the other, and how many of them it did. */
export function SelectionBar({ rows, close: clear, isPeeking, reload }: SelectionProps) {
  const [progress, setProgress] = useState('')
  const run = async (done: string, chosen: readonly TicketRow[], work: Work) => {
    let good = 0
    for (const [index, row] of chosen.entries()) {
      setProgress(`${index} of ${chosen.length}`)
      if ((await work(row)).ok) good += 1
    }
    setProgress('')
    const bad = chosen.length - good
    say(`${plural(good, 'ticket')} ${done}${bad === 0 ? '' : `, ${bad} refused`}.`, bad > 0)
    clear()
    reload()
  }
  const replayable = rows.filter(({ kept }) => kept)
  const running = rows.filter(({ status }) => status === 'queued' || status === 'in_progress')
  const replay = () => run('replayed', replayable, ({ id }) => replayTicket(id))
  const cancel = () => run('cancelled', running, ({ id }) => cancelTicket(id))
  useShortcuts({
    replay: () => replayable.length > 0 && replay(),
    cancel: () => running.length > 0 && cancel(),
    back: isPeeking ? undefined : clear,
  })
  return (
    <section class={styles.selection} aria-label="Selection">
      <strong>{rows.length} selected</strong>
      <Action
        does={replay}
        keys="replay"
        unable={replayable.length === 0 ? 'Nothing was kept of these' : undefined}
      >
        Replay {replayable.length}
      </Action>
      <Action
        does={cancel}
        keys="cancel"
        look="danger"
        unable={running.length === 0 ? 'None of these runs' : undefined}
      >
        Cancel {running.length}
      </Action>
      <Action does={() => exportLines(rows)}>Export JSONL</Action>
      <Action does={clear} keys="back">
        Clear
      </Action>
      <span role="status">{progress}</span>
    </section>
  )
}

/** The whole of the current row's prompt and answer; it follows the row. */
export function Peek({ row, close }: { readonly row: TicketRow; readonly close: () => void }) {
  const ticket = useResource(`peek ${row.id} ${row.status}`, (signal) => getTicket(row.id, signal))
  useShortcuts({ back: close })
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by the keyboard
    <section class={styles.peek} aria-label="Peek" tabIndex={0}>
      <Action does={close} keys="back">
        Close
      </Action>
      <Panel resource={ticket}>
        {(value) => (
          <>
            <h2>Prompt</h2>
            {value.event ? <CallerText text={promptOf(value)} long /> : <p>It was not kept.</p>}
            <h2>Answer</h2>
            {value.outcome?.error !== undefined && <p class={styles.error}>{value.outcome.error}</p>}
            {answerOf(value) === '' ? <p>There is no text.</p> : <CallerText text={answerOf(value)} long />}
          </>
        )}
      </Panel>
    </section>
  )
}

/** Each ticket whole, a line each. */
async function exportLines(rows: readonly TicketRow[]): Promise<void> {
  const lines: string[] = []
  for (const { id } of rows) {
    const answer = await getTicket(id)
    if (!answer.ok) return say(`${id} cannot be read: ${answer.problem.details}`, true)
    lines.push(JSON.stringify(answer.value))
  }
  const address = URL.createObjectURL(new Blob([`${lines.join('\n')}\n`], { type: 'application/jsonl' }))
  const link = Object.assign(document.createElement('a'), { href: address, download: 'tickets.jsonl' })
  link.click()
  URL.revokeObjectURL(address)
  say(`${plural(rows.length, 'ticket')} exported.`)
}

interface NothingProps {
  /** It cannot be closed. */
  readonly close?: () => void
  readonly filters: Filters
  readonly show: (filters: Filters) => void
}

/** What stands there instead of a list that has no rows. */
export function Nothing({ filters, show }: NothingProps) {
  return Object.keys(filters).length === 0 ? <NeverUsed /> : <NoResult filters={filters} show={show} />
}

/** Nobody has sent anything yet: how to. */
function NeverUsed() {
  const line = curlOf({ content: 'Hello!' })
  return (
    <div class={styles.empty}>
      <h2>No tickets yet</h2>
      <p>
        Write the first one in <a href={screenPath('compose')}>Compose</a>, or send it from a terminal:
      </p>
      <pre>{line}</pre>
    </div>
  )
}

/** There are tickets, but none like this: each filter can be taken away. */
function NoResult({ filters, show }: NothingProps) {
  return (
    <div class={styles.empty}>
      <h2>No ticket fits</h2>
      <p>The list was searched to its end. Take away a filter above, or all of them:</p>
      <button type="button" onClick={() => show({})}>
        Remove {Object.keys(filters).length === 1 ? 'the filter' : 'all filters'}
      </button>
    </div>
  )
}
