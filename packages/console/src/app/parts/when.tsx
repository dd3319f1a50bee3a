import { signal } from '@preact/signals'

const STORED = 'ai-ticket-console-zone'

/** Whether times are shown in UTC, as in the logs of most servers, and not in the reader's zone. */
export const isUtc = signal(localStorage.getItem(STORED) === 'utc')

export function chooseUtc(on: boolean): void {
  isUtc.value = on
  localStorage.setItem(STORED, on ? 'utc' : 'local')
}

/** `14:03:11` of today, `1 Mar 14:03` of another day; `14:03:11 UTC` if the reader wants that. */
export function clockTime(time: Date, now: Date): string {
  const { second, minute, day, date } = formats()
  const isToday = date.format(time) === date.format(now)
  const words = isToday ? second.format(time) : `${day.format(time)} ${minute.format(time)}`
  return isUtc.value ? `${words} UTC` : words
}

/** Of the zone that is shown. */
export const formats = (): ReturnType<typeof formatsOf> => (isUtc.value ? UTC : LOCAL)

const formatsOf = (timeZone: string | undefined) => {
  const of = (options: Intl.DateTimeFormatOptions) =>
    new Intl.DateTimeFormat('en-GB', { ...options, ...(timeZone !== undefined && { timeZone }) })
  return {
    second: of({ hour: '2-digit', minute: '2-digit', second: '2-digit' }),
    minute: of({ hour: '2-digit', minute: '2-digit' }),
    day: of({ day: 'numeric', month: 'short' }),
    date: of({ dateStyle: 'short' }),
  }
}

const LOCAL = formatsOf(undefined)
const UTC = formatsOf('UTC')

/** A time of the server; the whole of it on hover, and for programs. */
export function When({ at }: { readonly at: string }) {
  const time = new Date(at)
  return (
    <time dateTime={at} title={at}>
      {clockTime(time, new Date())}
    </time>
  )
}
