import { createServer, type Server, type Socket } from 'node:net'

/** The port: opened and closed any number of times, always the same number. */
export function createDoor(host: string, firstPort: number, onSocket: (socket: Socket) => void) {
  let server: Server | undefined
  let port = firstPort
  return {
    port: () => port,
    open(): Promise<void> {
      if (server !== undefined) return Promise.resolve()
      const opened = createServer({ allowHalfOpen: true, noDelay: true }, onSocket)
      server = opened
      return new Promise((resolve, reject) => {
        opened.once('error', reject)
        opened.listen(port, host, () => {
          const address = opened.address()
          if (typeof address === 'object' && address !== null) port = address.port
          resolve()
        })
      })
    },
    close(): void {
      server?.close()
      server = undefined
    },
  }
}
