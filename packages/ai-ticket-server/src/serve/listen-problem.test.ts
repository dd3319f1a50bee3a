import { expect, test } from 'vitest'
import { listenProblem } from './run-server.ts'

test.each([
  [
    'EADDRINUSE',
    'Port 5000 on 127.0.0.1 is taken. Stop the program that has it, or choose another: --port 5001',
  ],
  ['EACCES', 'This user may not use port 5000. Choose one above 1023: --port 5000'],
  ['EADDRNOTAVAIL', '127.0.0.1 is not an address of this machine. Choose one that is: --host 127.0.0.1'],
  ['EPERM', 'Cannot listen on 127.0.0.1, port 5000 (EPERM). Choose others with --host and --port.'],
])('%s is explained, with a way out', (code, message) => {
  const error = Object.assign(new Error('listen'), { code })
  expect(listenProblem(error, { host: '127.0.0.1', port: 5000 })).toBe(message)
})
