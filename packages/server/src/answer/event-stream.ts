import type { OutgoingHttpHeaders, ServerResponse } from 'node:http'
import type { Clock } from '@ai-ticket/core'
import type { FastifyReply } from 'fastify'

/** A reply as server-sent events, its head out and awake. */
export interface OpenStream {
  /** Resolves when the reader can take more; false when it has gone. */
  write(frame: string): boolean | Promise<boolean>
  /** Ends the reply, with a last frame where there is one. */
  end(frame?: string): void
  /** Stops the pings. */
  release(): void
}

/** Sends the head of an event stream. From then on a comment keeps proxies awake until `release`. */
export function openEventStream(
  reply: FastifyReply,
  { clock, pingIntervalMs }: { readonly clock: Clock; readonly pingIntervalMs: number },
): OpenStream {
  reply.hijack()
  const response = reply.raw
  response.writeHead(200, {
    ...(reply.getHeaders() as OutgoingHttpHeaders),
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-cache',
    // nginx would hold the stream back until its buffer is full.
    'x-accel-buffering': 'no',
  })
  response.flushHeaders()

  const ping = () => {
    // A reader that takes nothing needs no ping, and pings must not fill our memory.
    if (!response.writableNeedDrain) response.write(': ping\n\n')
    timer = clock.setTimer(ping, pingIntervalMs)
  }
  let timer = clock.setTimer(ping, pingIntervalMs)

  return {
    write: (frame) => frame === '' || (!response.destroyed && (response.write(frame) || drained(response))),
    end: (frame = '') => void response.end(frame),
    release: () => timer.cancel(),
  }
}

/** Waits for the reader; false when it hung up instead. */
function drained(response: ServerResponse): Promise<boolean> {
  return new Promise((resolve) => {
    const settle = () => {
      response.off('drain', settle).off('close', settle)
      resolve(!response.destroyed)
    }
    response.once('drain', settle).once('close', settle)
  })
}
