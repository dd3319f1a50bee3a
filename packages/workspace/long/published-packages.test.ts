import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'
import { afterAll, expect, test } from 'vitest'
import { PUBLISHED, packPackage, ROOT, readPacked } from '../test/published-packages.ts'
import { createTemporaryFolder } from '../test/temporary-folder.ts'

const ATTW = join(ROOT, 'packages/workspace/node_modules/.bin/attw')

const folder = createTemporaryFolder()
afterAll(() => folder[Symbol.dispose]())
const packed = await Promise.all(PUBLISHED.map((pkg) => packPackage(pkg, folder.path)))

test('these are published', () => {
  expect(PUBLISHED.map(({ name }) => name).sort()).toEqual([
    '@ai-ticket/console',
    '@ai-ticket/control',
    '@ai-ticket/core',
    '@ai-ticket/doors',
    '@ai-ticket/http-server',
    '@ai-ticket/llama',
    '@ai-ticket/testkit',
    '@ai-ticket/tickets',
    'ai-ticket',
    'ai-ticket-server',
  ])
})

test('no two of them pack to one file name', () => {
  const names = packed.map(({ tarball }) => basename(tarball))
  expect(new Set(names).size).toBe(names.length)
})

/** The command alone: nothing of it can be imported. */
const isLibrary = ({ name }: { readonly name: string }) => name !== 'ai-ticket'

// The lock file of the workspace pins what is tested; a project of somebody else gets security fixes without a release of ours.
test.each(PUBLISHED)('$name takes every later version that fits', ({ manifest }) => {
  const { dependencies, optionalDependencies, peerDependencies } = manifest
  const ranges = Object.entries({ ...dependencies, ...optionalDependencies, ...peerDependencies })
  // The SDK of OpenTelemetry is not yet at 1.0, where `^` would mean one minor version.
  const pinned = ranges.filter(([name, range]) => name !== '@opentelemetry/sdk-node' && !range.includes('^'))
  expect(pinned).toEqual([])
})

// A second copy of OpenTelemetry's API beside an older one sees no tracer and loses every span, without a word.
test.each([
  ['@ai-ticket/core', '@opentelemetry/api', '^1.9.0'],
  ['ai-ticket-server', '@opentelemetry/api', '^1.9.0'],
  ['@ai-ticket/testkit', 'msw', '^3.0.5'],
])('%s uses the %s of the project that it is in', (name, peer, range) => {
  const manifest = PUBLISHED.find((pkg) => pkg.name === name)?.manifest
  expect(manifest?.dependencies).not.toHaveProperty([peer])
  expect(manifest?.peerDependencies).toHaveProperty([peer], range)
  expect(manifest?.peerDependenciesMeta).toHaveProperty([peer], { optional: true })
})

test.each(packed)('publint finds nothing in $name', async ({ tarball }) => {
  const bytes = new Uint8Array(readFileSync(tarball)).buffer
  const { messages, pkg } = await publint({ pack: { tarball: bytes }, strict: true })
  expect(messages.map((message) => formatMessage(message, pkg))).toEqual([])
})

test.each(packed.filter(isLibrary))('the types of $name are right for ESM', async ({ tarball }) => {
  const checked = promisify(execFile)(ATTW, ['--profile', 'esm-only', '--no-color', tarball])
  await expect(checked).resolves.toMatchObject({ stderr: '' })
})

test.each(packed)('$name goes out without sources, tests or ways into the workspace', async (pkg) => {
  const { exports, dependencies } = JSON.parse(await readPacked(pkg.tarball, 'package.json'))
  expect(JSON.stringify({ exports, dependencies })).not.toMatch(/@ai-ticket\/source|workspace:/)
  expect(pkg.files.filter((path) => /^(src|test|long)\/|\.test\./.test(path))).toEqual([])
  expect(pkg.files).toEqual(
    expect.arrayContaining([
      ...['package.json', 'LICENSE', 'README.md'],
      ...(isLibrary(pkg) ? ['dist/index.js', 'dist/index.d.ts'] : ['ai-ticket.mjs']),
    ]),
  )
})

/** Beside `dist`, package.json, README.md and LICENSE. */
const MORE_FILES: Readonly<Record<string, RegExp>> = {
  '@ai-ticket/console':
    /^dist\/(?:THIRD-PARTY-LICENSES\.txt|app\/index\.html|app\/assets\/[\w-]+\.(?:js|css|svg)(?:\.br|\.gz)?)$/,
  'ai-ticket': /^ai-ticket\.mjs$/,
  'ai-ticket-server': /^(?:(?:config\.schema|openapi)\.json|dist\/THIRD-PARTY-LICENSES\.txt)$/,
  '@ai-ticket/testkit': /^fixtures\/koboldcpp-[\d.]+\/[\w.-]+\.json$/,
}

test.each(packed)('$name packs nothing that does not belong', ({ name, folder: home, files }) => {
  const belongs = (path: string): boolean => {
    if (['package.json', 'README.md', 'LICENSE', 'CHANGELOG.md'].includes(path)) return true
    // A declaration of a source that is gone was left by an earlier build.
    const declared = /^dist\/(.+)\.d\.ts$/.exec(path)?.[1]
    if (declared !== undefined) return existsSync(join(home, 'src', `${declared}.ts`))
    if (/^dist\/[\w-]+\.js$/.test(path)) return true
    if (/^dist\/[\w-]+\.js\.map$/.test(path)) return files.includes(path.slice(0, -'.map'.length))
    return MORE_FILES[name]?.test(path) ?? false
  }
  expect(files.filter((path) => !belongs(path))).toEqual([])
})
