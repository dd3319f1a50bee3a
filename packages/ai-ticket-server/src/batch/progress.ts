import type { Clock, Timer } from '@ai-ticket/core'
import type { LineEnd } from './finished-lines.ts'
import type { Outage } from './outage.ts'
import { durationText, type ProgressState, progressBar, progressText } from './progress-line.ts'

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
  /** A line of its own, also where progress is not shown. */
  say(text: string): void
}

const BAR_INTERVAL_MS = 250
const LINE_INTERVAL_MS = 10_000
/** Of so many last looks is the speed made. */
const LOOKS = 60

/** Shows how far a batch is. The speed is that of the last minute or so, not of the time that was waited for a server. */
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
      // The first word of it is worth a line at once; the rest comes with the others.
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
