import { expect, test } from 'vitest'
import { hostNameOf, isSafeFromRebinding } from './host-check.ts'

test.each([
  ['localhost:5000', 'localhost', true],
  ['LOCALHOST.', 'localhost', true],
  ['desk.localhost', 'desk.localhost', true],
  ['127.0.0.1:5000', '127.0.0.1', true],
  ['[::1]:5000', '::1', true],
  ['192.168.0.9', '192.168.0.9', true],
  ['evil.example:5000', 'evil.example', false],
  ['127.0.0.1.evil.example', '127.0.0.1.evil.example', false],
  ['localhost.evil.example', 'localhost.evil.example', false],
  ['notlocalhost', 'notlocalhost', false],
  ['127.1', '127.1', false],
  ['0x7f.1:5000', '0x7f.1', false],
  ['2130706433', '2130706433', false],
  ['[evil.example', 'evil.exampl', false],
  ['', '', false],
])('%s is %s, safe: %s', (host, name, safe) => {
  expect(hostNameOf(host)).toBe(name)
  expect(isSafeFromRebinding(name)).toBe(safe)
})
