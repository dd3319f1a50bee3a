import { existsSync, readFileSync } from 'node:fs'
import { join, posix } from 'node:path'
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

interface Override {
  readonly includes: readonly string[]
  readonly linter?: {
    readonly rules: {
      readonly style: {
        readonly noRestrictedImports: {
          readonly options: { readonly patterns: readonly [{ readonly group: readonly string[] }] }
        }
      }
    }
  }
}

/** A room as the page names it: `core/backends/http`. */
const roomOf = (path: string): string =>
  path.replace(/^packages\/([^/]+)\/src\//, '$1/').replace(/\/\*.*$/, '')

/** The rooms that lint lets a room import; single files are for everybody and stand in the text. */
function arrowOf({ includes: [path = ''], linter }: Override): [string, string[]][] {
  const group = linter?.rules.style.noRestrictedImports.options.patterns[0].group
  if (group === undefined) return []
  const room = roomOf(path)
  const folder = posix.dirname(path.replace('/**', '/*'))
  const rooms = group
    .filter((pattern) => /^!.*\*/.test(pattern))
    .map((pattern) => roomOf(posix.join(folder, pattern.slice(1))).replace(/^[^/]+\//, ''))
  return [[room, rooms]]
}

test('the table of rooms is what lint enforces', () => {
  const { overrides } = JSON.parse(readFileSync(join(ROOT, 'biome.json'), 'utf8'))
  const rows = tableRows('docs/architecture.md', ['room', 'may import'])
  const written = rows.map((row) => [
    plain(row.room),
    [...(row['may import'] ?? '').matchAll(/`([^`]+)`/g)].map(([, name]) => name),
  ])
  expect(written).toEqual((overrides as Override[]).flatMap(arrowOf))
  expect(rows.length).toBeGreaterThan(30)
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
