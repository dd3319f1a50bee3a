import { once } from 'node:events'
import { createServer } from 'node:net'

/**
 * A port of 127.0.0.1 where nobody listens, for a program that cannot choose one itself. Another process may take it
 * before that program does: where port 0 will do, use that.
 */
export async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  await once(server, 'close')
  return port
}
