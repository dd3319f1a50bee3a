import { clockTime } from './format.ts'

/** A time of the server in the reader's zone; the whole of it on hover, and for programs. */
export function When({ at }: { readonly at: string }) {
  const time = new Date(at)
  return (
    <time dateTime={at} title={at}>
      {clockTime(time, new Date())}
    </time>
  )
}
