import { expect, it } from 'vitest'
import { createCallbackPolicy } from './callback-policy.ts'

const errorOf = (url: string, allow: readonly string[], privateNetworks: readonly string[] = []) => {
  const checked = createCallbackPolicy({ allow, privateNetworks }).check(url)
  return checked.ok ? undefined : checked.error
}

it.each([
  ['https://hooks.example.com/*', 'https://hooks.example.com/done?key=1'],
  ['https://hooks.example.com', 'https://hooks.example.com/done'],
  ['https://hooks.example.com/a/*', 'https://HOOKS.example.com:443/a/b'],
  ['https://hooks.example.com/a', 'https://hooks.example.com/a?x=1'],
  ['https://hooks.example.com:8443/*', 'https://hooks.example.com:8443/'],
  ['http://hooks.example.com/*', 'http://hooks.example.com/'],
  ['https://*.example.com/*', 'https://a.b.example.com/x'],
  ['https://*/hook', 'https://anything.example/hook'],
  ['https://hooks.example.com/a/*', 'https://hooks.example.com/a/group%2Fproject/50%25'],
  ['https://hooks.example.com/a/*', 'https://hooks.example.com/a/b/..%2fc'],
  ['https://hooks.example.com/ü/*', 'https://hooks.example.com/%C3%BC/x'],
  ['https://bücher.example/*', 'https://xn--bcher-kva.example/'],
])('%s allows %s', (pattern, url) => {
  expect(errorOf(url, ['https://other.example/*', pattern])).toBeUndefined()
})

it.each([
  ['https://hooks.example.com/*', 'http://hooks.example.com/done'],
  ['http://hooks.example.com/*', 'https://hooks.example.com/done'],
  ['https://hooks.example.com/*', 'https://hooks.example.com:8443/done'],
  ['https://hooks.example.com:8443/*', 'https://hooks.example.com/done'],
  ['https://hooks.example.com/*', 'https://hooks.example.com.evil.example/'],
  ['https://hooks.example.com/*', 'https://evil.example/https://hooks.example.com/'],
  ['https://hooks.example.com/*', 'https://user@hooks.example.com/'],
  ['https://hooks.example.com/*', 'https://:secret@hooks.example.com/'],
  ['https://hooks.example.com/*', 'https://hooks.example.com/done#part'],
  ['https://hooks.example.com/*', 'https://hooks.example.com/done#'],
  ['https://hooks.example.com/*', `https://hooks.example.com/${'x'.repeat(2_048)}`],
  ['https://hooks.example.com/*', 'https://hooks.example.com./done'],
  ['https://hooks.example.com/*', 'not an address'],
  ['https://hooks.example.com/a/*', 'https://hooks.example.com/a/../b'],
  ['https://hooks.example.com/a/*', 'https://hooks.example.com/a/%2e%2e/b'],
  ['https://hooks.example.com/a/*', 'https://hooks.example.com/a/..%2fb'],
  ['https://hooks.example.com/a/*', 'https://hooks.example.com/a/..%5Cb'],
  ['https://hooks.example.com/a/*', 'https://hooks.example.com/a/x%5c..%5c..%5cb'],
  ['https://hooks.example.com/a/*', 'https://hooks.example.com/a/%252e%252e/b'],
  ['https://hooks.example.com/a/*', 'https://hooks.example.com/a/%252e%252e%252fb'],
  ['https://hooks.example.com/a/*', 'https://hooks.example.com/a/%2525252525252e./b'],
  ['https://hooks.example.com/a/*', 'https://hooks.example.com/a/..;x=1/b'],
  ['https://hooks.example.com/a/*', String.raw`https://hooks.example.com/a/..\..\b`],
  ['https://hooks.example.com/a', 'https://hooks.example.com/a/b'],
  ['https://hooks.example.com/', 'https://hooks.example.com/a'],
  ['https://*.example.com/*', 'https://example.com/'],
  ['https://*.example.com/*', 'https://evilexample.com/'],
  ['https://*/*', 'ftp://hooks.example.com/'],
  ['https://*/*', 'javascript:alert(1)'],
])('%s does not allow %s', (pattern, url) => {
  expect(errorOf(url, [pattern])).toBe('not_allowed')
})

it.each([
  '*',
  'hooks.example.com',
  'ftp://hooks.example.com/*',
  'https://hooks.example.com*',
  'https://hooks.*.com/*',
  'https://user@hooks.example.com/*',
  'https://hooks.example.com/*?x=1',
  'https://hooks.example.com/*#x',
  'https://hooks.example.com/a*b',
  'https://hooks.example.com:99999/*',
  'https:///*',
])('refuses the pattern %s, and names it', (pattern) => {
  expect(() => createCallbackPolicy({ allow: [pattern] })).toThrow(pattern)
})

const LITERALS = [
  ...['127.0.0.1', '127.1', '0x7f.1', '2130706433', '0177.0.0.1', '0.0.0.0', '[::1]', '[::]'],
  ...['[::ffff:127.0.0.1]', '[::ffff:7f00:1]', '[::127.0.0.1]', '①②⑦.0.0.1', '10.1.2.3', '100.64.0.1'],
  ...[
    '169.254.169.254',
    '172.31.0.1',
    '192.168.1.1',
    '192.0.0.8',
    '198.19.0.1',
    '224.0.0.1',
    '255.255.255.255',
  ],
  ...['[fd00::1]', '[fe80::1]', '[fec0::1]', '[ff02::1]', '[2002:7f00:1::]', '[64:ff9b::7f00:1]'],
  ...['[2001::1]', '[64:ff9b:1::1]', '[::ffff:0:7f00:1]'],
]

it.each(LITERALS)('blocks http://%s, whatever the list says', (host) => {
  expect(errorOf(`http://${host}/`, ['http://*/*'])).toBe('blocked')
  expect(errorOf(`http://${host}/`, [`http://${host}/*`])).toBe('blocked')
})

it.each(['93.184.216.34', '[2606:2800:220:1::1]', '172.32.0.1', '100.128.0.1'])('lets %s be', (host) => {
  expect(errorOf(`http://${host}/`, ['http://*/*'])).toBeUndefined()
})

it('reaches private networks that are named, and no others', () => {
  const networks = ['192.168.7.0/24', '::1']
  expect(errorOf('http://192.168.7.9/', ['http://*/*'], networks)).toBeUndefined()
  expect(errorOf('http://[::ffff:192.168.7.9]/', ['http://*/*'], networks)).toBeUndefined()
  expect(errorOf('http://[::1]/', ['http://*/*'], networks)).toBeUndefined()
  expect(errorOf('http://192.168.8.9/', ['http://*/*'], networks)).toBe('blocked')
})

it.each(['10.0.0.0/33', '10.0.0/8', 'localhost', 'fd00::/129', '10.0.0.0/', '10.0.0.0/x', '10.0.0.0/8/8'])(
  'refuses %s as a network, and names it',
  (network) => {
    expect(() => createCallbackPolicy({ allow: [], privateNetworks: [network] })).toThrow(network)
  },
)

it('takes what no resolver should say for blocked', () => {
  const { isBlocked } = createCallbackPolicy({ allow: [] })
  for (const address of ['', 'nonsense', 'fe80::1%eth0', '::1%lo']) expect(isBlocked(address)).toBe(true)
})
