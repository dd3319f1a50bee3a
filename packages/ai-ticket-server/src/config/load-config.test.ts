import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { loadConfig, placesFor } from './load-config.ts'

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
  const loaded = loadConfig({ flags: { '--config': fileOf(text) }, environment: {} })
  expect(loaded).toMatchObject({ ok: true, value: { config: { port: 81, worker: 'Grüße' } } })
})

test.each([
  ['UTF-16', Buffer.from(`\uFEFF${TEXT}`, 'utf16le')],
  ['Latin-1', Buffer.from(TEXT, 'latin1')],
])('a file in %s is refused for its encoding', (_encoding, bytes) => {
  const name = fileOf(bytes)
  const message = (key: string) =>
    `${key} names the file ${name}, which is not valid UTF-8. Save it as UTF-8.`
  expect(loadConfig({ flags: { '--config': name }, environment: {} })).toEqual({
    ok: false,
    problems: [{ key: '--config', message: message('--config') }],
  })
  expect(loadConfig({ flags: {}, environment: { AI_TICKET_CONFIG: name } })).toEqual({
    ok: false,
    problems: [{ key: 'AI_TICKET_CONFIG', message: message('AI_TICKET_CONFIG') }],
  })
})

test('a file named in quotation marks is read, to find what else is wrong, and the quotation marks are refused', () => {
  const loaded = loadConfig({
    flags: {},
    environment: { AI_TICKET_CONFIG: `"${fileOf('{ "port": -1 }')}"` },
  })
  const problems = loaded.ok ? [] : loaded.problems.map(({ message }) => message)
  expect(problems).toEqual([
    expect.stringMatching(/^port in .*desk\.json is the number -1, /),
    expect.stringMatching(/^AI_TICKET_CONFIG has quotation marks around its value\. /),
  ])
})

const nothing = { flags: {}, environment: {} }

test('without a name, the first file that is there is read; one that is named wins', () => {
  const [first, second, named] = [fileOf('{ "port": 1 }'), fileOf('{ "port": 2 }'), fileOf('{ "port": 3 }')]
  const places = ['/nowhere/ai-ticket.json', first, second]
  expect(loadConfig(nothing, places)).toMatchObject({
    value: {
      config: { port: 1 },
      origins: { port: { kind: 'file', name: first } },
      notes: [`The configuration file is ${first}.`],
    },
  })
  expect(loadConfig({ ...nothing, flags: { '--config': named } }, places)).toMatchObject({
    value: { config: { port: 3 } },
  })
  expect(loadConfig(nothing, ['/nowhere'])).toMatchObject({ value: { config: { port: 5000 }, notes: [] } })
})

test('it is looked for in the working folder, then in the folder of the user', () => {
  expect(placesFor('/home/me/.config')).toEqual([
    'ai-ticket.json',
    'ai-ticket.jsonc',
    '/home/me/.config/ai-ticket/config.json',
    '/home/me/.config/ai-ticket/config.jsonc',
  ])
})

test('a file that was found and cannot be read is named', () => {
  const folder = mkdtempSync(join(tmpdir(), 'ai-ticket-'))
  const message = `The configuration file ${folder} cannot be read (EISDIR). Correct its rights.`
  expect(loadConfig(nothing, [folder])).toEqual({ ok: false, problems: [{ key: folder, message }] })
})

test('the file may have comments and a comma at the end; a fault is found by its line', () => {
  const text = '{\n  // The port of the desk.\n  "port": 81, /* free */\n}\n'
  expect(loadConfig(nothing, [fileOf(text)])).toMatchObject({ value: { config: { port: 81 } } })
  const wrong = loadConfig(nothing, [fileOf('{\n  // secret\n  "port": 81\n  "host": "secret"\n}')])
  const problems = wrong.ok ? [] : wrong.problems.map(({ message }) => message)
  expect(problems).toEqual([expect.stringMatching(/ is not valid JSON \(line 4 column 3\)\. Correct it; /)])
  expect(problems.join()).not.toContain('secret')
})
