import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { loadConfig } from './config.ts'

const TEXT = '{ "port": 81, "worker": "Grüße" }'

function fileOf(bytes: string | Buffer): string {
  const name = join(mkdtempSync(join(tmpdir(), 'ai-ticket-')), 'desk.json')
  writeFileSync(name, bytes)
  return name
}

test.each([
  ['UTF-8', TEXT],
  ['UTF-8 with a byte order mark', `\uFEFF${TEXT}`],
])('a file in %s is read', (_encoding, text) => {
  const loaded = loadConfig({ '--config': fileOf(text) }, {})
  expect(loaded).toMatchObject({ ok: true, value: { config: { port: 81, worker: 'Grüße' } } })
})

test.each([
  ['UTF-16', Buffer.from(`\uFEFF${TEXT}`, 'utf16le')],
  ['Latin-1', Buffer.from(TEXT, 'latin1')],
])('a file in %s is refused for its encoding', (_encoding, bytes) => {
  const name = fileOf(bytes)
  const message = (key: string) =>
    `${key} names the file ${name}, which is not valid UTF-8. Save it as UTF-8.`
  expect(loadConfig({ '--config': name }, {})).toEqual({
    ok: false,
    problems: [{ key: '--config', message: message('--config') }],
  })
  expect(loadConfig({}, { AI_TICKET_CONFIG: name })).toEqual({
    ok: false,
    problems: [{ key: 'AI_TICKET_CONFIG', message: message('AI_TICKET_CONFIG') }],
  })
})

test('a file named in quotation marks is read, to find what else is wrong, and the quotation marks are refused', () => {
  const loaded = loadConfig({}, { AI_TICKET_CONFIG: `"${fileOf('{ "port": -1 }')}"` })
  const problems = loaded.ok ? [] : loaded.problems.map(({ message }) => message)
  expect(problems).toEqual([
    expect.stringMatching(/^port in .*desk\.json is the number -1, /),
    expect.stringMatching(/^AI_TICKET_CONFIG has quotation marks around its value\. /),
  ])
})
