import { execFile, execFileSync } from 'node:child_process'
import { cpSync, existsSync, readFileSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, expect, test } from 'vitest'
import { PUBLISHED, ROOT } from '../test/published-packages.ts'
import { createTemporaryFolder } from '../test/temporary-folder.ts'

const folder = createTemporaryFolder()
afterAll(() => folder[Symbol.dispose]())

/** What Git would take, in a folder of its own with the same tools. */
function copyOfTheWorkspace(): string {
  const listed = execFileSync('git', ['ls-files', '-co', '--exclude-standard', '-z'], { cwd: ROOT })
  const paths = listed
    .toString()
    .split('\0')
    .filter((path) => path !== '' && existsSync(join(ROOT, path)))
  for (const path of paths) cpSync(join(ROOT, path), join(folder.path, path))
  symlinkSync(join(ROOT, 'node_modules'), join(folder.path, 'node_modules'))
  const git = (...args: string[]) => execFileSync('git', args, { cwd: folder.path, stdio: 'ignore' })
  git('init', '-q', '-b', 'main')
  git('add', '-A')
  git('-c', 'user.name=Test', '-c', 'user.email=test@example.org', 'commit', '-qm', 'All')
  return folder.path
}

const manifestOf = (root: string, path: string) =>
  JSON.parse(readFileSync(join(root, path, 'package.json'), 'utf8'))

test('the changesets raise all packages to one version, each with its changelog, and no other package', async () => {
  const copy = copyOfTheWorkspace()
  await promisify(execFile)('changeset', ['version'], { cwd: copy })
  const released = PUBLISHED.map(({ folder: home }) => home.slice(ROOT.length + 1))
  const versions = released.map((path) => manifestOf(copy, path).version)
  expect(new Set(versions).size).toBe(1)
  const [version] = versions
  const before = PUBLISHED[0]?.manifest.version
  // The first one, which 0.0.0 waits for, is 0.1.0.
  if (before === '0.0.0') expect(version).toBe('0.1.0')
  for (const path of released) {
    if (version === before) break
    expect(readFileSync(join(copy, path, 'CHANGELOG.md'), 'utf8'), path).toContain(`## ${version}\n`)
  }
  for (const path of ['packages/bench', 'packages/site', 'packages/workspace', 'examples']) {
    expect(manifestOf(copy, path).version, path).toBe(manifestOf(ROOT, path).version)
    expect(existsSync(join(copy, path, 'CHANGELOG.md')), path).toBe(false)
  }
})
