import { execFile } from 'node:child_process'
import { existsSync, globSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { beforeAll, expect, test } from 'vitest'
import { MENU, SITE, titleOf } from '../../site/pages.mjs'
import { PUBLISHED, ROOT } from '../test/published-packages.ts'

const FOLDER = join(ROOT, 'packages/site')
const built = (path: string) => join(FOLDER, 'dist', path)
const read = (path: string) => readFileSync(built(path), 'utf8')

// Fails on a dead link of a page (VitePress), and on a warning of TypeDoc: a link in a comment that leads nowhere, a type
// that an export shows and that is not exported itself.
beforeAll(async () => {
  await promisify(execFile)(process.execPath, ['build-site.mjs'], { cwd: FOLDER, maxBuffer: 100_000_000 })
}, 400_000)

const pages = globSync('**/*.md', { cwd: join(ROOT, 'docs') }).map((path) => path.replaceAll('\\', '/'))
const htmlOf = (page: string) => page.replace(/(^|\/)README\.md$/, '$1index.md').replace(/\.md$/, '.html')

test('every page of docs is on the site, and in the menu or the list of decisions', () => {
  expect(pages.filter((page) => !existsSync(built(htmlOf(page))))).toEqual([])
  const inMenu = new Set([
    'index.html',
    ...MENU.flatMap((group) => group.pages).map((page) => `${page}.html`),
  ])
  expect(pages.map(htmlOf).filter((page) => !inMenu.has(page) && !/^adr\/\d/.test(page))).toEqual([])
})

test('every entry of every package is in the reference', () => {
  const entries = PUBLISHED.flatMap(({ name, manifest }) =>
    Object.entries(manifest.exports)
      .filter(([, target]) => typeof target === 'object')
      .map(([path]) => path.replace('.', name)),
  )
  expect(entries.length).toBeGreaterThan(10)
  const index = read('reference/index.html')
  expect(entries.filter((entry) => !index.includes(`>${entry}<`))).toEqual([])
})

test('it can be searched without a server', () => {
  const chunks = readdirSync(built('assets/chunks'))
  expect(chunks.filter((name) => name.startsWith('@localSearchIndex'))).toHaveLength(1)
})

test('links that leave docs lead to the repository, and none into the file system', () => {
  const html = read('deployment.html')
  expect(html).toContain('/blob/main/examples/proxy/nginx.conf"')
  expect(html).not.toMatch(
    /href="\.\.\/\.\.|href="[^"]*\/examples\/proxy\/nginx\.conf"(?<!blob\/main\/examples\/proxy\/nginx\.conf")/,
  )
})

test('models find a list of the pages, and all of them in one file', () => {
  const list = read('llms.txt')
  expect(list).toMatch(/^# AI Ticket\n\n> .{50,}\n\n## Use it\n/)
  const all = read('llms-full.txt')
  for (const page of pages) {
    const title = titleOf(readFileSync(join(ROOT, 'docs', page), 'utf8'))
    expect(all, page).toContain(`# ${title}`)
    if (!page.includes('/') && page !== 'README.md') {
      expect(list).toContain(`[${title}](${SITE}${page.replace(/\.md$/, '')})`)
    }
  }
})
