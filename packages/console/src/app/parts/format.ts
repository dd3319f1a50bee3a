/** Milliseconds as people say them: `0.4 s`, `12 s`, `3 min 20 s`, `2 h 5 min`. */
export function duration(ms: number): string {
  // What rounding brings to the next unit is said in that.
  if (ms < 999.5) return ms === 0 ? '0 s' : `${Math.round(ms)} ms`
  if (ms < 9_950) return `${(ms / 1_000).toFixed(1)} s`
  const seconds = Math.round(ms / 1_000)
  if (seconds < 60) return `${seconds} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return seconds % 60 === 0 ? `${minutes} min` : `${minutes} min ${seconds % 60} s`
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}

const count = new Intl.NumberFormat('en')

/** `1,024`. */
const number = (value: number): string => count.format(value)

/** `1 ticket`, `2 tickets`. */
export const plural = (value: number, one: string, many = `${one}s`): string =>
  `${number(value)} ${value === 1 ? one : many}`

/** Bytes of a text, in words. */
export function bytes(size: number): string {
  if (size < 1_024) return `${size} bytes`
  return size < 1_024 ** 2 ? `${Math.round(size / 1_024)} KB` : `${(size / 1_024 ** 2).toFixed(1)} MB`
}

/** A call that was stopped, as an outcome tells of it. */
interface Stopped {
  readonly backend: string
  readonly stopped?: 'not_sent' | 'ended' | 'idle' | 'dead'
  readonly stopped_after_ms?: number
}

const PROOFS: Readonly<Record<NonNullable<Stopped['stopped']>, string>> = {
  not_sent: 'was never asked',
  ended: 'has stopped: its call has ended',
  idle: 'has stopped: it says that it is idle',
  dead: 'is down',
}

/** How the backend of a cancelled event is known to have stopped, where the server knows it already. */
export function stopWords(attempts: readonly Stopped[]): string {
  const last = attempts.at(-1)
  if (last === undefined) return 'Cancelled before a backend worked on it.'
  const { backend, stopped, stopped_after_ms: afterMs } = last
  if (stopped === undefined) return `Cancelled while ${backend} worked on it.`
  return `Cancelled. ${backend} ${PROOFS[stopped]}${afterMs === undefined ? '' : `, after ${duration(afterMs)}`}.`
}
