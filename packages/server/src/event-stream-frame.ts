import type { Failure, StreamEvent } from '@ai-ticket/core'
import { HTTP_STATUS } from './http-status.ts'

export const PING_FRAME = ': ping\n\n'

const frame = (name: string, data: object): string => `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`

/** One event as the bytes of `text/event-stream`; empty for `admitted`, which is the head of the reply. */
export function eventStreamFrame(event: StreamEvent): string {
  switch (event.type) {
    case 'admitted':
      return ''
    case 'delta': {
      const { text, reasoning } = event
      return frame('delta', reasoning === undefined ? { text } : { text, reasoning })
    }
    case 'done':
      return frame('done', event.outcome)
    case 'error': {
      const { error, details, ...rest } = event.outcome
      return frame('error', { error, details, status: HTTP_STATUS[error], ...rest })
    }
  }
}

/** The last frame of a stream that nobody else ended. */
export const failureFrame = ({ code, details }: Failure): string =>
  frame('error', { error: code, details, status: HTTP_STATUS[code] })
