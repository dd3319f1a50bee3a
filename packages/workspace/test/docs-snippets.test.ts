import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { createDispatcher, createKoboldBackend } from '@ai-ticket/core'
import { startKoboldSimulator } from '@ai-ticket/testkit'
import { beforeAll, describe, expect, test } from 'vitest'
import { resolveConfig } from '../../ai-ticket-server/src/config/config.ts'
import { type CodeBlock, codeBlocks, markOf, pages, placeOf, ROOT } from './markdown.ts'
import { expectOutput } from './observed-output.ts'
import { runProgram } from './run-program.ts'

// Below a package, so that imports resolve as a user's do; ignored by git.
const FOLDER = join(import.meta.dirname, '../.reports/snippets')

const blocks = pages.flatMap(codeBlocks)
const written = (block: CodeBlock) => block.marks.includes('output')
const snippets = blocks.filter(({ language }) => language === 'ts')
const events = blocks.filter((block) => block.language === 'json' && block.marks.includes('event'))
const configurations = blocks.filter((block) => block.language === 'json' && block.marks.includes('config'))

const fileOf = ({ page, line }: CodeBlock) => join(FOLDER, `${page.replaceAll(/[^\w]/g, '-')}-${line}.ts`)

/** With what the blocks before it have declared, where it says that it goes on. */
function codeOf(block: CodeBlock): string {
  if (!block.marks.includes('continued')) return block.code
  const before = snippets.findLast(({ page, line }) => page === block.page && line < block.line)
  if (before === undefined) throw new Error(`${placeOf(block)} continues nothing.`)
  return codeOf(before) + block.code
}

const blockAfter = (block: CodeBlock) => blocks[blocks.indexOf(block) + 1]

beforeAll(() => {
  rmSync(FOLDER, { recursive: true, force: true })
  mkdirSync(FOLDER, { recursive: true })
  const config = { extends: '../../../../tsconfig.base.json', include: ['*.ts'] }
  writeFileSync(join(FOLDER, 'tsconfig.json'), JSON.stringify(config))
  // `export {}` makes a module of a snippet that imports nothing.
  for (const block of snippets) {
    if (markOf(block, 'from') === undefined) writeFileSync(fileOf(block), `${codeOf(block)}export {}\n`)
  }
})

test('every block is of a kind that is checked', () => {
  // `toml codex` is what `packages/doors/long/codex.test.ts` runs Codex with.
  // `json claude-code` is the same for Claude Code, in `claude-code.test.ts`.
  const CHECKED =
    /^(ts|sh|toml codex|mermaid|json (claude-code|event|config|output)|text (output|picture|tree=.*))\b/
  const unchecked = blocks.filter(({ language, marks }) => !CHECKED.test([language, ...marks].join(' ')))
  expect(unchecked.map(placeOf)).toEqual([])
  expect(snippets.length).toBeGreaterThan(10)
})

test('output stands right after what makes it', () => {
  const makers = (block: CodeBlock | undefined) =>
    block?.language === 'sh' || block?.marks.includes('runnable') === true
  const strays = blocks.filter((block, index) => written(block) && !makers(blocks[index - 1]))
  expect(strays.map(placeOf)).toEqual([])
})

test('every snippet compiles', () => {
  const { stdout, status } = spawnSync('tsc', ['-p', FOLDER, '--pretty', 'false', '--singleThreaded'], {
    encoding: 'utf8',
    env: { ...process.env, PATH: [join(ROOT, 'node_modules/.bin'), process.env.PATH].join(delimiter) },
  })
  expect(stdout).toBe('')
  expect(status).toBe(0)
}, 60_000)

const runnable = snippets.filter(({ marks }) => marks.includes('runnable'))

describe.concurrent('prints what the page says', () => {
  test.each(runnable.map((block) => [placeOf(block), block] as const))('%s', async (_place, block) => {
    const simulator = await startKoboldSimulator({ tokensPerSecond: Number.POSITIVE_INFINITY })
    const { out, err, exitCode } = await runProgram([fileOf(block)], {
      KOBOLDCPP_API_URL: simulator.url,
      LOG_LEVEL: 'silent',
    })
    await simulator.close()
    expect({ err, exitCode }).toEqual({ err: '', exitCode: 0 })
    const output = blockAfter(block)
    if (output && written(output)) expectOutput(out, output.code, output.language)
  })
})

test.each(
  snippets.flatMap((block) =>
    markOf(block, 'from') === undefined ? [] : [[placeOf(block), block] as const],
  ),
)('%s stands in its file, word for word', (_place, block) => {
  const source = readFileSync(join(ROOT, markOf(block, 'from') ?? ''), 'utf8')
  expect(withoutIndent(source).includes(withoutIndent(block.code))).toBe(true)
})

const withoutIndent = (code: string) => code.replace(/^ +/gm, '')

test.each(events.map((block) => [placeOf(block), block] as const))(
  '%s is answered',
  async (_place, { code }) => {
    const simulator = await startKoboldSimulator({ tokensPerSecond: Number.POSITIVE_INFINITY })
    const dispatcher = createDispatcher({ backends: [createKoboldBackend({ url: simulator.url })] })
    const outcome = await dispatcher.onEvent(JSON.parse(code))
    await dispatcher.close()
    await simulator.close()
    expect(outcome).toHaveProperty('completion')
  },
)

test.each(configurations.map((block) => [placeOf(block), block] as const))(
  '%s is a configuration',
  (_place, { code: text }) => {
    const variables = [...text.matchAll(/"api_key_env": "(\w+)"/g)].map(([, name = '']) => [name, 'secret'])
    const environment = Object.fromEntries(variables)
    const resolved = resolveConfig({ flags: {}, environment, file: { name: 'page', text } })
    expect(resolved).toMatchObject({ ok: true, value: { warnings: [] } })
  },
)
