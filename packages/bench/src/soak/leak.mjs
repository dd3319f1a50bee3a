// Loaded into the server to see the soak fail: every request leaves memory, a timer and a listener behind.
import { Server } from 'node:http'

const kept = []
const emit = Server.prototype.emit
Server.prototype.emit = function emitAndLeak(name, ...rest) {
  if (name === 'request') {
    kept.push(new Array(2000).fill(kept.length))
    setInterval(() => {}, 60_000)
    process.on(`leak-${kept.length}`, () => {})
  }
  return emit.call(this, name, ...rest)
}
