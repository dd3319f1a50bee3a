import { existsSync, statSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { expect, test } from 'vitest'
import { pages, prose, ROOT, readPage } from './markdown.ts'

interface Link {
  readonly page: string
  readonly target: string
}

const linksOf = (page: string): Link[] =>
  [...prose(page).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => ({ page, target }))

const isOutside = ({ target }: Link) => /^[a-z]+:/.test(target)

/** How GitHub names a heading. */
const anchorsOf = (page: string): string[] =>
  [...prose(page).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .trim()
      .replaceAll(' ', '-'),
  )

const links = pages.flatMap(linksOf)

test('relative links lead somewhere', () => {
  const dead = links
    .filter((link) => !isOutside(link))
    .filter(({ page, target }) => {
      const [path = '', anchor] = target.split('#')
      const file = path === '' ? page : normalize(join(dirname(page), path))
      if (!existsSync(join(ROOT, file))) return true
      return anchor !== undefined && (!file.endsWith('.md') || !anchorsOf(file).includes(anchor))
    })
  expect(dead).toEqual([])
  expect(links.length).toBeGreaterThan(20)
})

test('every page but those on GitHub and npm can be reached from the README', () => {
  const seen = new Set<string>(['README.md'])
  for (const page of seen) {
    for (const link of linksOf(page)) {
      const file = normalize(join(dirname(page), link.target.split('#')[0] ?? ''))
      if (file.endsWith('.md') && existsSync(join(ROOT, file)) && statSync(join(ROOT, file)).isFile())
        seen.add(file)
    }
  }
  expect(pages.filter((page) => page.startsWith('docs/') && !seen.has(page))).toEqual([])
})

test.each(pages)('%s has one title and ends with a newline', (page) => {
  expect(prose(page).match(/^# .+$/gm)).toHaveLength(1)
  expect(readPage(page)).toMatch(/[^\n]\n$/)
})
