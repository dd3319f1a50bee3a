import { expect, test } from 'vitest'
import { listenProblem, whatIsKept } from './run-server.ts'

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
  expect(listenProblem(error, { host: '127.0.0.1', port: 5000 }, 'linux')).toBe(message)
})

test('on a Mac, AirPlay Receiver usually has port 5000', () => {
  const error = Object.assign(new Error('listen'), { code: 'EADDRINUSE' })
  const problemAt = (port: number, platform: NodeJS.Platform) =>
    listenProblem(error, { host: '127.0.0.1', port }, platform)
  expect(problemAt(5000, 'darwin')).toMatch(/AirPlay Receiver\. Choose another: --port 5001, or switch/)
  expect(problemAt(5001, 'darwin')).not.toContain('AirPlay')
})

test.each([
  [
    { history: 'full', keepDays: 7, keepFailedDays: 30 },
    'Prompts and answers are kept for 7 days, of failed tickets for 30 days, in a file. AI_TICKET_HISTORY=off keeps those of tickets only.',
  ],
  [
    { history: 'off', keepDays: 2, keepFailedDays: 0 },
    'Only prompts and answers of tickets are kept, for 2 days, of failed tickets forever, in a file. AI_TICKET_DATA_DIR=:memory: keeps nothing.',
  ],
] as const)('the start says what is kept with %j', (config, line) => {
  expect(whatIsKept(config, 'a file')).toBe(line)
})
