import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { undocumentedExports } from './documented-exports.ts'
import { ROOT } from './published-packages.ts'
import { createTemporaryFolder } from './temporary-folder.ts'

test('every export of core, and every member of it, has a text for the editor to show', () => {
  expect(undocumentedExports(join(ROOT, 'packages/core/src/index.ts'))).toEqual([])
})

test('what has none is found', () => {
  using folder = createTemporaryFolder()
  mkdirSync(join(folder.path, 'src'))
  writeFileSync(join(folder.path, 'src/index.ts'), "export { a, type B, C } from './parts.ts'\n")
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
  expect(found.map((line) => line.split(' ')[1])).toEqual(['B.two', 'C.three', 'a'])
})
