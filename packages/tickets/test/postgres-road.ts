import { once } from 'node:events'
import { type AddressInfo, createServer, connect as dial, type Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'

/** Where the connection ends: before PostgreSQL has the COMMIT, behind it; or it stays, and no answer comes. */
type Trap = 'before' | 'behind' | 'silent'

/** A way to PostgreSQL that a test can cut. */
export async function openRoad(target: string) {
  const { hostname, port } = new URL(target)
  const sockets = new Set<Socket>()
  let trap: Trap | undefined
  let isSilent = false
  let delayMs = 0
  const server = createServer((near) => {
    /** Whether its transaction writes a row: the job queue commits for itself, too, whenever it likes. */
    let hasWritten = false
    const far = dial(Number(port) || 5432, hostname)
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from)
      from.on('error', () => {})
      from.on('close', () => to.destroy())
      let passed = Promise.resolve()
      from.on('data', (data) => {
        if (from === near) meet(data)
        // Nothing more passes once it is silent; nothing says so either.
        if (isSilent) return
        if (delayMs === 0) return void to.write(data)
        const ms = delayMs
        passed = passed.then(() => pause(ms)).then(() => void to.write(data))
      })
    }
    const meet = (data: Buffer) => {
      hasWritten ||= data.includes('INSERT INTO')
      if (!data.includes('COMMIT')) return
      const isOurs = hasWritten
      hasWritten = false
      if (trap === undefined || !isOurs) return
      const sprung = trap
      trap = undefined
      if (sprung === 'before') far.destroy()
      else if (sprung === 'behind') {
        // PostgreSQL gets it; its answer never arrives.
        far.removeAllListeners('data').on('data', () => near.destroy())
      } else far.removeAllListeners('data').resume()
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address() as AddressInfo
  const url = new URL(target)
  url.host = `127.0.0.1:${address.port}`
  const close = async () => {
    const closed = once(server, 'close')
    server.close()
    for (const socket of sockets) socket.destroy()
    await closed
  }
  return {
    url: url.href,
    close,
    /** What the next COMMIT of new rows meets. */
    breakAtCommit(at: Trap) {
      trap = at
    },
    /** From now on nothing passes, and nobody is told. */
    fallSilent() {
      isSilent = true
    },
    /** What passes from now on takes so long; 0: none. Only with nothing on its way may it become shorter. */
    delay(ms: number) {
      delayMs = ms
    },
    /** All connections break at once; new ones are let through. */
    cut() {
      isSilent = false
      for (const socket of sockets) socket.destroy()
      sockets.clear()
    },
    async open() {
      server.listen(address.port, '127.0.0.1')
      await once(server, 'listening')
    },
    [Symbol.asyncDispose]: close,
  }
}
