import type { Failure, StreamEvent } from '@ai-ticket/core'
import type { StreamDialect } from '../answer/stream-dialect.ts'
import { HTTP_STATUS } from '../http/http-status.ts'
import { replyToOutcome } from '../http/reply.ts'

const write = (name: string, data: object): string => `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`

/** One event as the bytes of `text/event-stream`; empty for `admitted`, which is the head of the reply. */
function eventFrame(event: StreamEvent): string {
  switch (event.type) {
    case 'admitted':
      return ''
    case 'delta': {
      const { text, reasoning } = event
      return write('delta', reasoning === undefined ? { text } : { text, reasoning })
    }
    case 'partial':
      return write('partial', { data: event.data })
    case 'done':
      return write('done', event.outcome)
    case 'error': {
      const { error, details, ...rest } = event.outcome
      return write('error', { error, details, status: HTTP_STATUS[error], ...rest })
    }
  }
}

const failureFrame = ({ code, details }: Failure): string =>
  write('error', { error: code, details, status: HTTP_STATUS[code] })

/** What `POST /event` speaks: named events, the outcome as it is. */
export const eventDialect: StreamDialect = {
  frame: eventFrame,
  failureFrame,
  refusal: replyToOutcome,
}
