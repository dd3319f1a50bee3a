import { expect, test } from 'vitest'
import { toOriginForm } from './request-url.ts'

test.each([
  ['/event?a=1', '/event?a=1', 'localhost'],
  ['http://evil.example/event?a=1', '/event?a=1', 'evil.example'],
  ['HTTPS://[::1]:8080/livez', '/livez', '[::1]:8080'],
  ['http://evil.example', '/', 'evil.example'],
  ['http://evil.example?a=1', '/?a=1', 'evil.example'],
  ['http://localhost@evil.example/', '/', 'localhost@evil.example'],
  ['http:///event', '/event', ''],
  ['*', '*', 'localhost'],
  ['ftp://evil.example/event', 'ftp://evil.example/event', 'localhost'],
])('%s asks for %s at %s', (url, path, host) => {
  const request = { url, headers: { host: 'localhost' } }
  expect(toOriginForm(request)).toBe(path)
  expect(request.headers.host).toBe(host)
})
