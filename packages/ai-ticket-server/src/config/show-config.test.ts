import { DEFAULTS } from '@ai-ticket/core'
import { expect, test } from 'vitest'
import { resolveConfig } from './config.ts'
import { configRows } from './show-config.ts'

function rows(content: unknown, environment: Record<string, string>) {
  const result = resolveConfig({
    flags: {},
    environment,
    file: { name: 'desk.json', text: JSON.stringify(content) },
  })
  if (!result.ok) throw new Error(result.problems.map(({ message }) => message).join('\n'))
  return configRows(result.value, DEFAULTS)
}

test('every value has its name in the file and its origin; secrets are masked', () => {
  const content = {
    backends: [
      { name: 'box', type: 'kobold', url: 'http://box:5001', api_key_env: 'BOX_KEY', concurrency: 2 },
    ],
    retries: { attempts: 7 },
  }
  const shown = rows(content, {
    BOX_KEY: 'sk-secret',
    AI_TICKET_API_KEYS: 'sk-one,ci:events+read=sk-two',
    AI_TICKET_CALLBACK_SECRET: `whsec_${'sk'.repeat(20)}`,
  })
  expect(shown).toEqual(
    expect.arrayContaining([
      { key: 'port', value: 5000, origin: 'default' },
      { key: 'api_keys', value: ['***', 'ci:events+read=***'], origin: 'environment AI_TICKET_API_KEYS' },
      { key: 'callback_secret', value: ['***'], origin: 'environment AI_TICKET_CALLBACK_SECRET' },
      { key: 'backends.box.url', value: 'http://box:5001', origin: 'file desk.json' },
      { key: 'backends.box.concurrency', value: 2, origin: 'file desk.json' },
      { key: 'backends.box.api_key', value: '***', origin: 'environment BOX_KEY' },
      { key: 'retries.attempts', value: 7, origin: 'file desk.json' },
      { key: 'retries.backoff_base_ms', value: 500, origin: 'default' },
    ]),
  )
  expect(JSON.stringify(shown)).not.toMatch(/sk-|sksk/)
})
