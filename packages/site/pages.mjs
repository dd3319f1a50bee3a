// Which pages there are, in the order of the menu; test/site.test.ts sees that none is missing.
import { globSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

export const ROOT = resolve(import.meta.dirname, '../..')

const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))

/** `https://github.com/OWNER/NAME`, from the one place where it is written. */
export const REPOSITORY = manifest.repository.url.replace(/^git\+|\.git$/g, '')
/** Where the site is published, with a slash at its end. */
export const SITE = manifest.homepage

/** Other formats in which the server can be asked. */
const DOORS = globSync('doors/*.md', { cwd: join(ROOT, 'docs') })
  .map((path) => path.replaceAll('\\', '/').replace(/\.md$/, ''))
  .toSorted()

export const MENU = [
  {
    text: 'Use it',
    pages: ['getting-started', 'structured-output', 'tickets', 'batch', 'openai', ...DOORS, 'cloudevents'],
  },
  {
    text: 'Run it',
    pages: [
      'console',
      'configuration',
      'deployment',
      'operations',
      'control',
      'warm-prompts',
      'errors',
      'performance',
    ],
  },
  { text: 'Build on it', pages: ['api', 'backends', 'testing', 'architecture', 'adr/index'] },
]

/** The first heading of a page of `docs`. */
export function titleOf(text) {
  return /^# (.+)$/m.exec(text)?.[1] ?? ''
}

/** How GitHub names a heading: links to one work in both places. */
export function anchorOf(heading) {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replaceAll(' ', '-')
}
