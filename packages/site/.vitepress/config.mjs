import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { defineConfig } from 'vitepress'
import { anchorOf, MENU, REPOSITORY, SITE, titleOf } from '../pages.mjs'

const PAGES = join(import.meta.dirname, '../.pages')
const read = (path) => readFileSync(join(PAGES, path), 'utf8')

const item = (page) => ({
  text: titleOf(read(`${page}.md`)),
  link: `/${page.replace(/(^|\/)index$/, '$1')}`,
})

export default defineConfig({
  title: 'AI Ticket',
  description: 'The front desk of a local LLM server',
  lang: 'en',
  base: new URL(SITE).pathname,
  srcDir: '.pages',
  outDir: 'dist',
  cacheDir: '.vitepress/cache',
  cleanUrls: true,
  sitemap: { hostname: SITE },
  // A link that leads nowhere ends the build: this is the default, and stays.
  ignoreDeadLinks: false,
  markdown: { anchor: { slugify: anchorOf } },
  themeConfig: {
    nav: [
      { text: 'Guide', link: '/getting-started' },
      { text: 'Errors', link: '/errors' },
      { text: 'Reference', link: '/reference/' },
    ],
    sidebar: {
      '/reference/': JSON.parse(read('reference/typedoc-sidebar.json')),
      '/': MENU.map(({ text, pages }) => ({ text, items: pages.map(item) })),
    },
    search: { provider: 'local' },
    socialLinks: [{ icon: 'github', link: REPOSITORY }],
    outline: 'deep',
  },
})
