import type { Clock, Timer } from '@ai-ticket/core'
import { terminalText } from '../program/terminal-text.ts'
import type { LineEnd } from './finished-lines.ts'
import type { Outage } from './pacing.ts'

export interface ProgressOptions {
  readonly stream: { write(text: string): unknown; readonly columns?: number | undefined }
  /** `bar`: drawn again and again in one line. `lines`: a plain one now and then. */
  readonly style: 'bar' | 'lines' | 'none'
  readonly clock: Clock
  /** Undefined: not known. */
  readonly total: number | undefined
  readonly done: number
  readonly failed: number
}

export interface Progress extends Disposable {
  finished(end: LineEnd): void
  waiting(outage: Outage | undefined): void
  /** Writes a line, even where progress is not shown. */
  say(text: string): void
}

const BAR_INTERVAL_MS = 250
const LINE_INTERVAL_MS = 10_000
/** The speed is that of this many last looks. */
const LOOKS = 60

/** Shows how far a batch is. The speed is that of the last minute or so; time spent waiting for a server does not count. */
export function createProgress({ stream, style, clock, total, ...start }: ProgressOptions): Progress {
  const looks: { readonly at: number; readonly done: number }[] = [{ at: clock.now(), done: start.done }]
  let { done, failed } = start
  let outage: Outage | undefined
  let timer: Timer | undefined

  function state(): ProgressState {
    const now = clock.now()
    const [first] = looks
    const seconds = first === undefined ? 0 : (now - first.at) / 1_000
    const perSecond = first && seconds > 0 && done > first.done ? (done - first.done) / seconds : undefined
    return { total, done, failed, perSecond, waitingFor: outage && waitText(outage, now) }
  }

  function look(): void {
    const last = looks.at(-1)
    if (last && clock.now() - last.at >= 1_000) looks.push({ at: clock.now(), done })
    if (looks.length > LOOKS) looks.shift()
  }

  const intervalMs = style === 'bar' ? BAR_INTERVAL_MS : LINE_INTERVAL_MS
  function show(): void {
    look()
    if (style === 'bar') stream.write(`\r${progressBar(state(), stream.columns || 80)}\x1b[K`)
    else stream.write(`${progressText(state())}\n`)
    timer = clock.setTimer(show, intervalMs)
  }
  if (style !== 'none') timer = clock.setTimer(show, intervalMs)

  return {
    finished(end) {
      done += 1
      if (end !== 'answered') failed += 1
    },
    waiting(next) {
      // The first try is worth a line at once; later ones show up in the regular lines.
      if (next && outage === undefined && style === 'lines') stream.write(`${waitText(next, clock.now())}\n`)
      outage = next
    },
    say: (text) => stream.write(`${style === 'bar' ? '\r\x1b[K' : ''}${text}\n`),
    [Symbol.dispose]() {
      timer?.cancel()
      if (style === 'bar') stream.write('\r\x1b[K')
    },
  }
}

function waitText({ details, nextTryAt, since }: Outage, now: number): string {
  const waited = now - since >= 1_000 ? `, waiting for ${durationText((now - since) / 1_000)}` : ''
  return `${details} Next try in ${durationText(Math.max(0, nextTryAt - now) / 1_000)}${waited}`
}

interface ProgressState {
  /** Undefined: not known yet. */
  readonly total: number | undefined
  readonly done: number
  readonly failed: number
  /** Lines a second, recently; undefined: none has finished yet. */
  readonly perSecond: number | undefined
  /** Why the batch waits. */
  readonly waitingFor: string | undefined
}

const BAR_WIDTH = 24

/** For a terminal that is `columns` wide: one line, never more. */
export function progressBar(state: ProgressState, columns: number): string {
  const { total, done } = state
  const filled = total ? Math.min(BAR_WIDTH, Math.floor((done / total) * BAR_WIDTH)) : 0
  const bar = total === undefined ? '' : `[${'='.repeat(filled)}${' '.repeat(BAR_WIDTH - filled)}] `
  return (bar + progressText(state)).slice(0, Math.max(10, columns - 1))
}

function progressText({ total, done, failed, perSecond, waitingFor }: ProgressState): string {
  const left = total === undefined ? undefined : total - done
  const parts = [
    total === undefined ? `${done} done` : `${done}/${total}`,
    ...(failed > 0 ? [`${failed} failed`] : []),
    ...(perSecond === undefined ? [] : [rateText(perSecond)]),
    ...(left && perSecond && waitingFor === undefined ? [`${durationText(left / perSecond)} left`] : []),
    ...(waitingFor === undefined ? [] : [terminalText(waitingFor).replaceAll('\n', ' ')]),
  ]
  return parts.join(', ')
}

const rateText = (perSecond: number): string =>
  perSecond >= 1 ? `${perSecond.toFixed(1)} lines/s` : `${(perSecond * 60).toFixed(1)} lines/min`

export function durationText(seconds: number): string {
  const whole = Math.ceil(seconds)
  if (whole < 60) return `${whole} s`
  if (whole < 3_600) return `${Math.floor(whole / 60)} min ${whole % 60} s`
  return `${Math.floor(whole / 3_600)} h ${Math.floor((whole % 3_600) / 60)} min`
}
