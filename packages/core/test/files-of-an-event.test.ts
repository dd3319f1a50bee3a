import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { expect, test } from 'vitest'

/** So many files somebody opens, at most, to follow one plain answer from `onEvent` to its outcome. */
const MOST_FILES = 36

test('a plain answer runs through few files of core', async () => {
  const program = new URL('./list-executed.mjs', import.meta.url)
  const flags = ['--conditions=@ai-ticket/source', '--disable-warning=ExperimentalWarning']
  const child = spawn(process.execPath, [...flags, program.pathname])
  const [out, problems] = await Promise.all([text(child.stdout), text(child.stderr)])
  expect(problems).toBe('')
  const { outcome, files }: { outcome: { endpoint: string }; files: string[] } = JSON.parse(out)
  process.stdout.write(`${files.length} files of core run for one plain answer.\n`)
  expect(outcome.endpoint).toBe('chat')
  expect(files).toContain('on-event.ts')
  expect(files).toContain('backends/kobold/create-kobold-backend.ts')
  expect(files.length, files.join('\n')).toBeLessThanOrEqual(MOST_FILES)
})
