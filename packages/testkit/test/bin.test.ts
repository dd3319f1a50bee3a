import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const bin = fileURLToPath(new URL('../src/bin.ts', import.meta.url))

function start(...flags: string[]) {
  return spawn(process.execPath, [bin, ...flags], { stdio: ['ignore', 'pipe', 'pipe'] })
}

test('the bin says that it is a simulator, answers and stops on SIGTERM', async () => {
  const child = start('--port', '0', '--tokens-per-second', 'infinity', '--model', 'koboldcpp/demo')
  let output = ''
  child.stdout.setEncoding('utf8')
  while (!output.includes('KOBOLDCPP_API_URL=')) output += (await once(child.stdout, 'data'))[0]
  const url = /http:\/\/127\.0\.0\.1:\d+/.exec(output)?.[0]
  expect(output).toContain('no language model')
  expect(await (await fetch(`${url}/api/v1/model`)).json()).toEqual({ result: 'koboldcpp/demo' })
  child.kill('SIGTERM')
  expect((await once(child, 'exit'))[0]).toBe(0)
})

test('a bad flag stops the start and names itself', async () => {
  const child = start('--tokens-per-second', 'fast')
  child.stderr.setEncoding('utf8')
  const [[text], [code]] = await Promise.all([once(child.stderr, 'data'), once(child, 'exit')])
  expect(text).toContain('--tokens-per-second')
  expect(code).toBe(1)
})
