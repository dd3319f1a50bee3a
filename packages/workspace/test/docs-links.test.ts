import { existsSync, statSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { expect, test } from 'vitest'
import { anchorOf, MENU, REPOSITORY, SITE } from '../../site/pages.mjs'
import { pages, prose, ROOT, readPage } from './markdown.ts'

interface Link {
  readonly page: string
  readonly target: string
}

const linksOf = (page: string): Link[] =>
  [...prose(page).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => ({ page, target }))

const isOutside = ({ target }: Link) => /^[a-z]+:/.test(target)

const anchorsOf = (page: string): string[] =>
  [...prose(page).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => anchorOf(heading))

/** The file that a link to our site or to our repository shows; undefined: it leads elsewhere. */
function ownFile(target: string): string | undefined {
  const blob = `${REPOSITORY}/blob/main/`
  if (target.startsWith(blob)) return target.slice(blob.length)
  if (!target.startsWith(SITE)) return undefined
  const [page = '', anchor] = target.slice(SITE.length).split('#')
  // Written by TypeDoc: the build of the site looks.
  if (page.startsWith('reference/')) return undefined
  const file = page === '' || page.endsWith('/') ? `docs/${page}README.md` : `docs/${page}.md`
  return anchor === undefined ? file : `${file}#${anchor}`
}

function isDead(file: string): boolean {
  const [path = '', anchor] = file.split('#')
  if (!existsSync(join(ROOT, path))) return true
  return anchor !== undefined && (!path.endsWith('.md') || !anchorsOf(path).includes(anchor))
}

const links = pages.flatMap(linksOf)

test('relative links lead somewhere', () => {
  const dead = links
    .filter((link) => !isOutside(link))
    .filter(({ page, target }) =>
      isDead(target.startsWith('#') ? `${page}${target}` : normalize(join(dirname(page), target))),
    )
  expect(dead).toEqual([])
  expect(links.length).toBeGreaterThan(20)
})

test('links to our own site and repository lead somewhere', () => {
  const own = links.flatMap(({ target }) => ownFile(target) ?? [])
  expect(own.filter(isDead)).toEqual([])
  expect(own.length).toBeGreaterThan(10)
})

test('links of pages that npm shows are whole addresses: npm has no other files', () => {
  const onNpm = links.filter(({ page }) => /^packages\/[^/]+\/README\.md$/.test(page))
  expect(onNpm.filter((link) => !isOutside(link) && !link.target.startsWith('#'))).toEqual([])
  expect(onNpm.length).toBeGreaterThan(10)
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

test('every page of docs is in the menu of the site, or in the list of decisions', () => {
  const inMenu = new Set(['README', ...MENU.flatMap((group) => group.pages)])
  const ours = pages
    .filter((page) => page.startsWith('docs/'))
    .map((page) => page.slice(5).replace(/\.md$/, ''))
  expect(ours.length).toBeGreaterThan(15)
  expect(
    ours.filter(
      (page) => !inMenu.has(page.replace(/README$/, 'index')) && !inMenu.has(page) && !/^adr\/\d/.test(page),
    ),
  ).toEqual([])
})
