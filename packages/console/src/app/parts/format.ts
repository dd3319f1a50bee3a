/** Milliseconds as people say them: `0.4 s`, `12 s`, `3 min 20 s`, `2 h 5 min`. */
export function duration(ms: number): string {
  if (ms < 1_000) return ms === 0 ? '0 s' : `${Math.round(ms)} ms`
  if (ms < 10_000) return `${(ms / 1_000).toFixed(1)} s`
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

/** `14:03:11` of today, `1 Mar 14:03` of another day, in the reader's zone. */
export function clockTime(time: Date, now: Date): string {
  if (time.toDateString() === now.toDateString()) return TIME.format(time)
  return `${DAY.format(time)} ${MINUTE.format(time)}`
}

const TIME = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' })
const MINUTE = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' })
const DAY = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' })

/** A share from 0 to 1: `6 %`, below ten `0.4 %`. */
export const percent = (share: number): string =>
  `${(100 * share).toFixed(share > 0 && share < 0.0995 ? 1 : 0)} %`
