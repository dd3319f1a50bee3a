import { duration, plural } from '../parts/format.ts'
import tables from '../parts/parts.module.css'
import { ScrollingTable } from '../parts/scrolling-table.tsx'
import type { Bar, BarKind, CallPhases, CallPiece, Story } from './build-story.ts'
import styles from './story.module.css'

interface WaterfallProps {
  readonly story: Story
  /** Of the scale, where several stories share one. Default: the length of this one. */
  readonly scaleMs?: number
  readonly title?: string
}

const LABELS: Readonly<Record<Exclude<BarKind, 'call'>, string>> = {
  queue: 'on disk',
  line: 'in line',
  pause: 'pause',
  end: 'until the end',
}

/** A story to scale, a lane for each of its pieces; the same as a table for those who cannot see it. */
export function Waterfall({ story, scaleMs, title = 'Story' }: WaterfallProps) {
  const whole = Math.max(1, scaleMs ?? story.durationMs)
  return (
    <section class={styles.story} aria-label={title}>
      <div class={styles.head}>
        <h2>{title}</h2>
        <span class={styles.sum}>
          {plural(story.calls, 'call')}, {duration(story.durationMs)}
          {story.isLive && ' so far'}
          {story.wastedMs > 0 && `, ${duration(story.wastedMs)} wasted`}
        </span>
      </div>
      <div aria-hidden="true">
        <Scale whole={whole} />
        {story.bars.map((bar) => (
          <Lane key={`${bar.kind} ${bar.from}`} bar={bar} whole={whole} />
        ))}
      </div>
      <details class={styles.table}>
        <summary>As a table</summary>
        <ScrollingTable name={`${title} as a table`}>
          <StoryTable story={story} />
        </ScrollingTable>
      </details>
    </section>
  )
}

function Scale({ whole }: { readonly whole: number }) {
  return (
    <div class={styles.scale}>
      <span />
      <div class={styles.ticks}>
        {[0, 0.25, 0.5, 0.75].map((part) => (
          <span key={part} style={{ left: `${part * 100}%` }}>
            {duration(part * whole)}
          </span>
        ))}
      </div>
      <span />
    </div>
  )
}

function Lane({ bar, whole }: { readonly bar: Bar; readonly whole: number }) {
  const { kind, from, to, call } = bar
  const look = call === undefined ? styles[kind] : callLook(call)
  return (
    <div class={styles.lane}>
      <span class={styles.label}>{labelOf(bar)}</span>
      <div class={styles.track}>
        <div
          class={`${styles.bar} ${look}`}
          style={{ left: `${(from / whole) * 100}%`, width: `${((to - from) / whole) * 100}%` }}
        >
          {call !== undefined && <Phases of={call.phases} wholeMs={to - from} />}
        </div>
      </div>
      <span class={`${styles.words} ${call?.wasted ? styles.bad : ''}`} title={wordsOf(bar)}>
        {wordsOf(bar)}
      </span>
    </div>
  )
}

/** What is told of the inside of a call, in its order. */
function Phases({ of: phases, wholeMs }: { readonly of: CallPhases | undefined; readonly wholeMs: number }) {
  if (phases === undefined) return <span class={styles.untold} />
  const { otherMs, readingMs, writingMs, stoppingMs, isEstimate } = phases
  const pieces = [
    { look: styles.untold, ms: otherMs },
    { look: isEstimate ? styles.likelyReading : styles.reading, ms: readingMs },
    { look: isEstimate ? styles.likelyWriting : styles.writing, ms: writingMs },
    { look: styles.stopping, ms: stoppingMs },
  ]
  return (
    <>
      {pieces.map(({ look, ms }) => (
        <span key={look} class={look} style={{ width: `${(ms / Math.max(1, wholeMs)) * 100}%` }} />
      ))}
    </>
  )
}

function callLook({ wasted, result }: CallPiece): string {
  if (wasted && result !== undefined) return `${styles.call} ${styles.wasted}`
  return `${styles.call} ${result === 'completed' ? styles.good : ''}`
}

const labelOf = ({ kind, call }: Bar): string =>
  call === undefined
    ? LABELS[kind as Exclude<BarKind, 'call'>]
    : `${call.number} ${call.backend}/${call.endpoint}`

function wordsOf({ from, to, call }: Bar): string {
  const time = duration(to - from)
  if (call === undefined) return time
  const parts = [call.result === undefined ? `${time}, running` : `${markOf(call)} ${time}, ${call.result}`]
  if (call.phases !== undefined) {
    const { readingMs, writingMs, isEstimate } = call.phases
    const about = isEstimate ? '~' : ''
    parts.push(`read ${about}${duration(readingMs)}`, `wrote ${about}${duration(writingMs)}`)
  }
  if (call.stopped !== undefined) {
    const after = call.stoppedAfterMs === undefined ? '' : ` after ${duration(call.stoppedAfterMs)}`
    parts.push(`stopped: ${call.stopped}${after}`)
  }
  return parts.join(', ')
}

const markOf = ({ wasted }: CallPiece): string => (wasted ? '✕' : '✓')

function StoryTable({ story }: { readonly story: Story }) {
  return (
    <table class={tables.table}>
      <thead>
        <tr>
          <th>what</th>
          <th class={tables.numeric}>from</th>
          <th class={tables.numeric}>for</th>
          <th>how it went</th>
        </tr>
      </thead>
      <tbody>
        {story.bars.map((bar) => (
          <tr key={`${bar.kind} ${bar.from}`}>
            <td>{labelOf(bar)}</td>
            <td class={tables.numeric}>{duration(bar.from)}</td>
            <td class={tables.numeric}>{duration(bar.to - bar.from)}</td>
            <td>
              {bar.call === undefined
                ? ''
                : `${wordsOf(bar)}${bar.call.details ? `. ${bar.call.details}` : ''}`}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}
