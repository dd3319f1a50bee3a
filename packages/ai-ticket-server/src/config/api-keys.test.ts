import { expect, test } from 'vitest'
import { keyWith, readApiKey } from './api-keys.ts'
import { resolveConfig } from './config.ts'

const DIGEST = 'a'.repeat(64)

test.each([
  ['sesame', { key: 'sesame' }],
  ['ci=sesame', { key: 'sesame', name: 'ci' }],
  ['home-1:events+read=sesame', { key: 'sesame', name: 'home-1', scopes: ['events', 'read'] }],
  [':read=sesame', { key: 'sesame', scopes: ['read'] }],
  [`ci:events=sha256:${DIGEST}`, { key: `sha256:${DIGEST}`, name: 'ci', scopes: ['events'] }],
  [`sha256:${DIGEST}`, { key: `sha256:${DIGEST}` }],
  ['ci=a=b:c', { key: 'a=b:c', name: 'ci' }],
  // What openssl rand -base64 makes is a key as it is.
  ['+/abcdefghijklmnopqrst==', { key: '+/abcdefghijklmnopqrst==' }],
  ['abcdefghijklmnopqrstuv==', { key: 'abcdefghijklmnopqrstuv==' }],
  ['user:password', { key: 'user:password' }],
  // The key was forgotten, or its variable was empty.
  ['ci=', { key: '', name: 'ci' }],
  ['ci:read=', { key: '', name: 'ci', scopes: ['read'] }],
  ['ci:read', { key: '', name: 'ci', scopes: ['read'] }],
])('%s is read', (text, key) => {
  expect(readApiKey(text)).toEqual(key)
})

const refusedBy = (environment: Record<string, string>, file?: object) => {
  const result = resolveConfig({
    flags: {},
    environment,
    ...(file && { file: { name: 'desk.json', text: JSON.stringify(file) } }),
  })
  return result.ok ? [] : result.problems.map(({ message }) => message)
}

test.each([
  ['good,ci:reed=secret', 'AI_TICKET_API_KEYS[1].scopes[0] is a text, but must be one or more of events,'],
  ['good,ci:=secret', 'AI_TICKET_API_KEYS[1].scopes[0] is an empty text, but must be one or more of events,'],
  ['ci=,good', 'AI_TICKET_API_KEYS[0].key is an empty text, but must be a key of visible ASCII'],
  ['.ci=secret', 'AI_TICKET_API_KEYS[0].name is a text, but must be a name of letters'],
  ['sha256:12', 'AI_TICKET_API_KEYS[0].key is a text, but must be a key of visible ASCII'],
  ['one,two,ci=one', 'AI_TICKET_API_KEYS[2] is an object, but must be a key that no other entry has.'],
])('%s is refused by its position', (keys, message) => {
  const problems = refusedBy({ AI_TICKET_API_KEYS: keys })
  expect(problems).toEqual([expect.stringContaining(message)])
  expect(problems.join()).not.toMatch(/secret|reed/)
  expect(problems.join()).toMatch(/Correct it, or unset it/)
})

test('the file names keys by variable or digest; the variable AI_TICKET_API_KEYS replaces them', () => {
  const text = JSON.stringify({
    api_keys: [
      { name: 'ci', scopes: ['events'], key_env: 'CI_KEY', rate_limit: '5/s', priority: -5, max_priority: 0 },
      { name: 'boss', sha256: DIGEST },
    ],
  })
  const resolve = (environment: Record<string, string>) => {
    const result = resolveConfig({ flags: {}, environment, file: { name: 'desk.json', text } })
    return result.ok ? result.value.config.apiKeys : result.problems
  }
  expect(resolve({ CI_KEY: 'sesame' })).toEqual([
    {
      name: 'ci',
      scopes: ['events'],
      key: 'sesame',
      rateLimit: { requests: 5, windowMs: 1_000 },
      priority: -5,
      maxPriority: 0,
    },
    { name: 'boss', key: `sha256:${DIGEST}` },
  ])
  expect(resolve({ AI_TICKET_API_KEYS: 'other' })).toEqual([{ key: 'other' }])
})

test.each([
  [
    { name: 'ci', key_env: 'NONE' },
    'api_keys[0].key_env in desk.json names the variable NONE, which is not set',
  ],
  [{ name: 'ci' }, 'api_keys[0] in desk.json needs either "key_env" or "sha256"'],
  [{ name: 'ci', key_env: 'KEY', sha256: DIGEST }, 'api_keys[0] in desk.json needs either'],
  [{ name: 'ci', sha256: '12' }, 'api_keys[0].sha256 in desk.json is a text, but must be the 64'],
  [{ name: 'ci', key_env: 'BAD' }, 'api_keys[0].key in desk.json is a text, but must be a key of visible'],
  [{ name: 'ci', key: 'secret' }, 'api_keys[0].key in desk.json is not a known key'],
  [{ name: 'ci', key_env: 'KEY', scopes: [] }, 'api_keys[0].scopes in desk.json is a list of 0'],
  [
    { name: 'ci', key_env: 'KEY', priority: 200 },
    'api_keys[0].priority in desk.json is the number 200, but must be a whole number from -100 to 100',
  ],
])('a listed key %j is refused', (listed, message) => {
  const problems = refusedBy({ KEY: 'sesame', BAD: 'two words secret' }, { api_keys: [listed] })
  expect(problems).toEqual([expect.stringContaining(message)])
  expect(problems.join()).not.toContain('secret')
})

test('priorities of APIs come from the file or as a variable', () => {
  const resolve = (environment: Record<string, string>) => {
    const text = JSON.stringify({ priorities: { event: 3 } })
    const result = resolveConfig({ flags: {}, environment, file: { name: 'desk.json', text } })
    return result.ok ? result.value.config.priorities : result.problems
  }
  expect(resolve({})).toEqual({ event: 3 })
  expect(resolve({ AI_TICKET_PRIORITIES: 'kobold=10, responses=-5' })).toEqual({ kobold: 10, responses: -5 })
})

test.each([
  ['kobold=ten', 'AI_TICKET_PRIORITIES.kobold is a text, but must be a whole number from -100 to 100'],
  ['kobold', 'AI_TICKET_PRIORITIES.kobold is an empty text, but must be a whole number from -100 to 100'],
  [
    'kobold=101',
    'AI_TICKET_PRIORITIES.kobold is the number 101, but must be a whole number from -100 to 100',
  ],
  ['kobald=10', 'AI_TICKET_PRIORITIES.kobald is not a known key. Did you mean "kobold"?'],
])('priorities %s are refused', (text, message) => {
  expect(refusedBy({ AI_TICKET_PRIORITIES: text })).toEqual([expect.stringContaining(message)])
})

test('a command takes the first key in plain text that may do it', () => {
  const keys = [{ key: `sha256:${DIGEST}` }, { key: 'r', scopes: ['read'] as const }, { key: 'a' }]
  expect(keyWith(keys, 'read')).toBe('r')
  expect(keyWith(keys, 'admin')).toBe('a')
  expect(keyWith(keys.slice(0, 2), 'admin')).toBeUndefined()
})
