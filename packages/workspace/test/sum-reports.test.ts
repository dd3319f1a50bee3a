import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, test } from 'vitest'

const SUM_REPORTS = fileURLToPath(new URL('../sum-reports.mjs', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'ai-ticket-reports-'))
afterAll(() => rmSync(folder, { recursive: true }))

const FAILED_TEST = { status: 'failed', assertionResults: [{ status: 'passed' }, { status: 'failed' }] }
const FAILED_IMPORT = { status: 'failed', assertionResults: [] }

function report(name: string, content: object | string): string {
  const empty = { numPassedTests: 0, numFailedTests: 0, numPendingTests: 0, numTodoTests: 0, testResults: [] }
  const text = typeof content === 'string' ? content : JSON.stringify({ ...empty, ...content })
  writeFileSync(join(folder, name), text)
  return join(folder, name)
}

const sum = (...args: string[]) => {
  const { stdout, status } = spawnSync(process.execPath, [SUM_REPORTS, ...args], { encoding: 'utf8' })
  return { lastLine: stdout.trimEnd().split('\n').at(-1), stdout, status }
}

const green = report('green.json', { numPassedTests: 7, numPendingTests: 2, numTodoTests: 1 })

test('adds up the reports', () => {
  const more = report('more.json', { numPassedTests: 30 })
  expect(sum(green, '0', more, '0')).toMatchObject({ lastLine: '37 passed, 0 failed, 3 skipped', status: 0 })
})

test('a failed test is counted once', () => {
  const red = report('red.json', { numPassedTests: 1, numFailedTests: 1, testResults: [FAILED_TEST] })
  expect(sum(green, '0', red, '1')).toMatchObject({ lastLine: '8 passed, 1 failed, 3 skipped', status: 1 })
})

test('a file that did not load counts beside failed tests', () => {
  const red = report('broken.json', { numFailedTests: 1, testResults: [FAILED_TEST, FAILED_IMPORT] })
  expect(sum(red, '1')).toMatchObject({ lastLine: '0 passed, 2 failed, 0 skipped', status: 1 })
})

test('says before the sum what failed, and how', () => {
  const failedTest = {
    status: 'failed',
    fullName: 'a desk answers',
    failureMessages: ['expected 1 to be 2\n    at x'],
  }
  const testResults = [
    { name: 'desk.test.ts', status: 'failed', assertionResults: [{ status: 'passed' }, failedTest] },
    { name: 'line.test.ts', status: 'failed', message: 'no such module', assertionResults: [] },
  ]
  expect(sum(report('told.json', { numFailedTests: 1, testResults }), '1').stdout).toBe(
    `FAILED desk.test.ts > a desk answers
  expected 1 to be 2
      at x
FAILED line.test.ts
  no such module
0 passed, 2 failed, 0 skipped
`,
  )
})

test.each([
  ['failed though no test did', green, '1'],
  ['left no report', join(folder, 'nowhere.json'), '0'],
  ['left half a report', report('half.json', '{"numPassedTests": 3'), '0'],
])('a run that %s counts as one failure', (_, path, exitCode) => {
  expect(sum(path, exitCode, green, '0')).toMatchObject({
    lastLine: expect.stringContaining(' 1 failed'),
    status: 1,
  })
})

test('no test at all is a failure', () => {
  expect(sum(report('none.json', {}), '0')).toMatchObject({
    lastLine: '0 passed, 0 failed, 0 skipped',
    status: 1,
  })
})
