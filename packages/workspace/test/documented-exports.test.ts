import { mkdirSync, writeFileSync } from 'node:fs'
import { basename, join, relative } from 'node:path'
import { expect, test } from 'vitest'
import { entriesOf, undocumentedExports } from './documented-exports.ts'
import { PUBLISHED, ROOT } from './published-packages.ts'
import { createTemporaryFolder } from './temporary-folder.ts'

const ENTRIES = PUBLISHED.flatMap((pkg) => entriesOf(pkg).map((entry) => relative(ROOT, entry)))

test('every package with code is looked at, by each of its entry points', () => {
  const withCode = PUBLISHED.filter(({ manifest }) => '.' in manifest.exports).map(({ folder }) =>
    basename(folder),
  )
  expect(withCode).toEqual(expect.arrayContaining(['core', 'server', 'tickets', 'testkit', 'llama']))
  expect(new Set(ENTRIES.map((entry) => entry.split('/')[1]))).toEqual(new Set(withCode))
  expect(ENTRIES).toContain('packages/server/src/openapi.ts')
})

test.each(ENTRIES)(
  'every export of %s, and every member of it, has a text for the editor to show',
  (entry) => {
    expect(undocumentedExports(join(ROOT, entry))).toEqual([])
  },
)

test('what has none is found', () => {
  using folder = createTemporaryFolder()
  mkdirSync(join(folder.path, 'src'))
  writeFileSync(
    join(folder.path, 'src/index.ts'),
    "export { a, type B, C } from './parts.ts'\nexport const own = 1\n",
  )
  writeFileSync(
    join(folder.path, 'src/parts.ts'),
    `export const a = 1
/** Said. */
export interface B {
  /** Said. */
  one: string
  // Not for an editor.
  two(): void
}
/** Said. */
export class C {
  #own = 1
  three = this.#own
}
export interface Internal {}
`,
  )
  const found = undocumentedExports(join(folder.path, 'src/index.ts'))
  expect(found.map((line) => line.split(' ')[1])).toEqual(['own', 'B.two', 'C.three', 'a'])
})
