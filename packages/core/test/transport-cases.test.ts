import { describe, expect, test } from 'vitest'
import { answered, BACKENDS, END, part, type Reply, rawDesk, streamed } from './raw-desk.ts'

// What proxies do to replies on their way, over sockets: the outcome is that of a caller.

describe.each(BACKENDS)('%s', (kind) => {
  const streamOf = async (reply: Reply) => {
    await using desk = await rawDesk(kind, reply)
    return { ...(await desk.stream()), calls: desk.calls() }
  }
  const events = part({ content: 'Hello ' }) + part({ content: 'you.' }) + part({}, 'stop') + END

  const continued = 'HTTP/1.1 100 Continue\r\n\r\n'

  test.each([
    ['100', continued],
    ['100 with a header', 'HTTP/1.1 100 Continue\r\ndate: today\r\n\r\n'],
    ['100 twice', continued + continued],
    ['102 and 103', 'HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: <x>\r\n\r\n'],
    ['103 and 100', `HTTP/1.1 103 Early Hints\r\nlink: <x>\r\n\r\n${continued}`],
  ])('%s in front of the reply is passed over', async (_, informational) => {
    const joined = Buffer.concat([Buffer.from(informational), answered({ content: 'HTTP/1.1 100 Continue' })])
    await using plain = await rawDesk(kind, joined)
    expect(await plain.ask()).toMatchObject({ completion: 'HTTP/1.1 100 Continue' })
    expect(plain.calls()).toBe(1)
    const { outcome } = await streamOf(async (socket) => {
      socket.setNoDelay(true)
      for (const byte of informational + streamed(events).slice(0, 30)) {
        await new Promise((resolve) => setTimeout(resolve, 1))
        socket.write(byte)
      }
      socket.end(streamed(events).slice(30))
    })
    expect(outcome).toMatchObject({ completion: 'Hello you.' })
  })

  test('a kept connection whose next reply follows a 100 is read on', async () => {
    await using desk = await rawDesk(kind, (socket) => {
      const body = answered({ content: 'One.' })
        .toString()
        .replace('connection: close', 'connection: keep-alive')
      socket.write(continued + body)
    })
    for (let round = 0; round < 3; round++) expect(await desk.ask()).toMatchObject({ completion: 'One.' })
    expect(desk.calls()).toBe(3)
  })
})
