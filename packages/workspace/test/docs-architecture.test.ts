import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { BackendError, type BackendErrorKind } from '@ai-ticket/core'
import { expect, test } from 'vitest'
import { classify } from '../../core/src/attempt/classify.ts'
import { codeBlocks, markOf, plain, ROOT, tableRows } from './markdown.ts'

const trees = codeBlocks('docs/architecture.md').flatMap((block) => {
  const folder = markOf(block, 'tree')
  return folder === undefined ? [] : [{ folder, files: filesIn(block.code) }]
})

/** Names at the start of lines; a line that names a folder opens it for the lines indented below. */
function filesIn(code: string): string[] {
  let folder = ''
  return code.split('\n').flatMap((line) => {
    folder = /^(\S+\/)(?: |$)/.exec(line)?.[1] ?? (line.startsWith(' ') ? folder : '')
    const names = /^ *((?:[\w/-]+\.ts ?)+)/.exec(line)?.[1]
    return names === undefined
      ? []
      : names
          .trim()
          .split(' ')
          .map((name) => folder + name)
  })
}

test.each(trees)('the picture of $folder shows files that exist', ({ folder, files }) => {
  expect(files.length).toBeGreaterThan(5)
  expect(files.filter((file) => !existsSync(join(ROOT, folder, file)))).toEqual([])
})

const kindRows = tableRows('docs/backends.md', ['kind', 'when', 'code'])
const kinds = kindRows.map((row) => plain(row.kind) as BackendErrorKind)

test('the page on backends has every kind of error', () => {
  const source = readFileSync(join(ROOT, 'packages/core/src/contract/backend.ts'), 'utf8')
  const [, union = ''] = /export type BackendErrorKind =\n([\s\S]*?)\n\n/.exec(source) ?? []
  expect(kinds).toEqual([...union.matchAll(/^ {2}\| '(\w+)'$/gm)].map(([, kind]) => kind))
})

test('kinds of errors become the codes that the page says', () => {
  const ownWords: readonly BackendErrorKind[] = ['status', 'endpoint_missing']
  for (const row of kindRows) {
    const kind = plain(row.kind) as BackendErrorKind
    if (!ownWords.includes(kind)) expect(classify(new BackendError(kind, 'x')).code).toBe(plain(row.code))
  }
})

test.each([
  [401, 'api_authentication_error'],
  [403, 'api_authentication_error'],
  [429, 'api_rate_limited'],
  [418, 'api_client_error'],
  [500, 'api_server_error'],
])('a status of %i is %s, as the page says', (status, code) => {
  expect(classify(new BackendError('status', 'x', { status })).code).toBe(code)
})
