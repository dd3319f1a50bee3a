import { terminalText } from '../program/terminal-text.ts'

export interface ProgressState {
  /** Undefined: not known yet. */
  readonly total: number | undefined
  readonly done: number
  readonly failed: number
  /** Lines a second, of late; undefined: nothing came yet. */
  readonly perSecond: number | undefined
  /** Why nothing goes on. */
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

export function progressText({ total, done, failed, perSecond, waitingFor }: ProgressState): string {
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
