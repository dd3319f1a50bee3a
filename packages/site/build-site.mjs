// Builds the site into `dist`: copies the pages of docs/ to `.pages`, adds the reference, and hands both to VitePress, which
// fails on a dead link. The pages themselves stay as GitHub shows them.
import { cpSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, posix } from 'node:path'
import { build } from 'vitepress'
import { buildReference } from './build-reference.mjs'
import { MENU, REPOSITORY, ROOT, SITE, titleOf } from './pages.mjs'

const PAGES = join(import.meta.dirname, '.pages')

/** The overview of a folder is README.md for GitHub, and index.md for the web. */
const onSite = (path) => path.replace(/(^|\/)README\.md\b/, '$1index.md')

/** Links to pages that the site has lead there, links to other files to GitHub. */
function withSiteLinks(text, path) {
  return text.replaceAll(/(\]\()([^)\s#:]+)(#[^)\s]*)?\)/g, (whole, start, target, anchor = '') => {
    const file = posix.join('docs', posix.dirname(path), target)
    if (target.startsWith('/') || file.startsWith('docs/')) return `${start}${onSite(target)}${anchor})`
    return whole === '' ? whole : `${start}${REPOSITORY}/blob/main/${file}${anchor})`
  })
}

/** Code is left alone: what looks like a link there is none. */
function outsideOfCode(text, change) {
  return text
    .split(/^(```[\s\S]*?^```$)/m)
    .map((part, index) => (index % 2 === 0 ? change(part) : part))
    .join('')
}

function copyPages() {
  rmSync(PAGES, { recursive: true, force: true })
  cpSync(join(ROOT, 'docs/images'), join(PAGES, 'images'), { recursive: true })
  for (const path of globSync('**/*.md', { cwd: join(ROOT, 'docs') })) {
    const text = readFileSync(join(ROOT, 'docs', path), 'utf8')
    const target = join(PAGES, onSite(path))
    mkdirSync(dirname(target), { recursive: true })
    writeFileSync(
      target,
      outsideOfCode(text, (part) => withSiteLinks(part, path)),
    )
  }
}

/** For language models: a list of the pages (llmstxt.org), and all of them in one file. */
function writeForModels() {
  const read = (page) => readFileSync(join(PAGES, `${page}.md`), 'utf8')
  const link = (page) => `- [${titleOf(read(page))}](${SITE}${page.replace(/(^|\/)index$/, '$1')})`
  const summary = firstParagraph(read('index'))
  const lists = MENU.map(({ text, pages }) => `## ${text}\n\n${pages.map(link).join('\n')}`)
  const dist = join(import.meta.dirname, 'dist')
  writeFileSync(join(dist, 'llms.txt'), `# AI Ticket\n\n> ${summary}\n\n${lists.join('\n\n')}\n`)
  const pages = ['index', ...MENU.flatMap(({ pages }) => pages)]
  const decisions = globSync('adr/0*.md', { cwd: PAGES }).toSorted()
  const all = [...pages.map(read), ...decisions.map((path) => read(path.replace(/\.md$/, '')))]
  writeFileSync(join(dist, 'llms-full.txt'), all.map((text) => text.trim()).join('\n\n---\n\n'))
}

const firstParagraph = (text) => text.split('\n\n')[1]?.trim() ?? ''

copyPages()
const warnings = await buildReference(join(PAGES, 'reference'), { repository: REPOSITORY, revision: 'main' })
if (warnings > 0) {
  process.stderr.write(`TypeDoc has ${warnings} warnings about the comments of the sources: mend them.\n`)
  process.exit(1)
}
await build(import.meta.dirname)
writeForModels()
