import { DEFAULTS } from '@ai-ticket/core'
import { expect, test } from 'vitest'
import { resolveConfig } from './config.ts'
import { configRows, configSettings } from './show-config.ts'

function rows(content: unknown, environment: Record<string, string>) {
  const result = resolveConfig({
    flags: {},
    environment,
    file: { name: 'desk.json', text: JSON.stringify(content) },
  })
  if (!result.ok) throw new Error(result.problems.map(({ message }) => message).join('\n'))
  return configRows(result.value, DEFAULTS)
}

const CONTENT = {
  backends: [{ name: 'box', type: 'kobold', url: 'http://box:5001', api_key_env: 'BOX_KEY', concurrency: 2 }],
  retries: { attempts: 7 },
}

const SECRETS = {
  BOX_KEY: 'sk-secret',
  AI_TICKET_API_KEYS: 'sk-one,ci:events+read=sk-two',
  AI_TICKET_CALLBACK_SECRET: `whsec_${'sk'.repeat(20)}`,
  AI_TICKET_DATABASE_URL: 'postgres://user:sk-pass@db/tickets',
}

test('every value has its name in the file and its origin; secrets are masked', () => {
  const shown = rows(CONTENT, SECRETS)
  const environment = (name: string) => ({ kind: 'environment', name })
  const file = { kind: 'file', name: 'desk.json' }
  expect(shown).toMatchObject(
    expect.arrayContaining(
      [
        { key: 'port', value: 5000, origin: { kind: 'default' } },
        { key: 'api_keys', value: ['***', 'ci:events+read=***'], origin: environment('AI_TICKET_API_KEYS') },
        { key: 'callback_secret', value: ['***'], origin: environment('AI_TICKET_CALLBACK_SECRET') },
        { key: 'database_url', value: '***', origin: environment('AI_TICKET_DATABASE_URL') },
        { key: 'backends.box.url', value: 'http://box:5001', origin: file },
        { key: 'backends.box.concurrency', value: 2, origin: file },
        { key: 'backends.box.api_key', value: '***', origin: environment('BOX_KEY') },
        { key: 'retries.attempts', value: 7, origin: file },
        { key: 'retries.backoff_base_ms', value: 500, origin: { kind: 'default' } },
      ].map((row) => expect.objectContaining(row)),
    ),
  )
  expect(JSON.stringify(shown.map(({ schema: _schema, ...row }) => row))).not.toMatch(/sk-|sksk/)
})

test('over HTTP every setting says what it may be, and whether the file has a say', async () => {
  const settings = await configSettings(rows(CONTENT, { ...SECRETS, PORT: '8080' }))
  const byKey = new Map(settings.map((setting) => [setting.key, setting]))
  expect(byKey.get('port')).toEqual({
    key: 'port',
    value: 8080,
    origin: { kind: 'environment', name: 'PORT' },
    default: 5000,
    secret: false,
    live: false,
    locked: true,
    schema: { type: 'integer', minimum: 0, maximum: 65_535 },
    summary: 'Port to listen on; 0 takes a free one.',
  })
  expect(byKey.get('retries.attempts')).toMatchObject({
    value: 7,
    default: 3,
    locked: false,
    schema: { type: 'integer', minimum: 1, maximum: 100 },
    summary: 'Calls of one endpoint for one event.',
  })
  expect(byKey.get('backends.box.concurrency')).toMatchObject({
    default: null,
    locked: false,
    schema: { type: 'integer', minimum: 1, maximum: 1024 },
    summary: expect.stringContaining('Slots'),
  })
  expect(byKey.get('backends.box.api_key')).toMatchObject({ value: '***', secret: true, locked: true })
  for (const { key, schema, summary } of settings) {
    expect(Object.keys(schema), key).not.toEqual([])
    expect(summary, key).toMatch(/\S.*\.$/)
  }
  expect(JSON.stringify(settings)).not.toMatch(/sk-|sksk/)
})
