import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { expect, test } from 'vitest'
import { createCallbackPoster } from './post-callback.ts'

test('a receiver that says 100 or 103 before its answer has answered', async () => {
  const receiver = createServer((socket) => {
    socket.once('data', () => {
      socket.write('HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n')
      socket.end('HTTP/1.1 204 No Content\r\nretry-after: 7\r\n\r\n')
    })
  }).listen(0, '127.0.0.1')
  await once(receiver, 'listening')
  const { port } = receiver.address() as AddressInfo
  const poster = createCallbackPoster({ isBlocked: () => false })
  const url = new URL(`http://127.0.0.1:${port}/done`)
  const signal = AbortSignal.timeout(10_000)
  const reply = await poster.post({ url, headers: {}, body: '{}', signal })
  expect(reply).toEqual({ status: 204, retryAfter: '7' })
  await poster.close()
  receiver.close()
})
