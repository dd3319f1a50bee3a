import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const sources = readdirSync(import.meta.dirname, { recursive: true, encoding: 'utf8' }).filter(
  (path) => /\.tsx?$/.test(path) && !path.endsWith('.test.ts'),
)

/** Ways from text to markup or code, and places where a key would stay. The policy forbids them; here they do not even ship. */
const FORBIDDEN: Readonly<Record<string, RegExp>> = {
  markup:
    /\b(innerHTML|outerHTML|insertAdjacentHTML|dangerouslySetInnerHTML|createContextualFragment|srcdoc|DOMParser)\b/,
  code: /\beval\(|new Function\b|setTimeout\(['"`]|javascript:/,
  cookies: /document\.cookie/,
}

test.each(Object.entries(FORBIDDEN))('no source turns text into %s', (_what, pattern) => {
  expect(sources.length).toBeGreaterThan(30)
  const found = sources.filter((path) => pattern.test(readFileSync(join(import.meta.dirname, path), 'utf8')))
  expect(found).toEqual([])
})

test('only the key and a draft are in sessionStorage', () => {
  const users = sources.filter((path) =>
    readFileSync(join(import.meta.dirname, path), 'utf8').includes('sessionStorage'),
  )
  expect(users).toEqual(['api/key.ts', 'screens/compose/draft.ts'])
})
