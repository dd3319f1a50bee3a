import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import type { AnswerSchema } from '../src/answer-schema/answer-schema.ts'
import { openJsonSchema, openStandardSchema } from '../src/answer-schema/open-answer-schema.ts'
import { ticketsAnswer, ticketsJson, ticketsValibot } from './schema-answer.ts'

/** Of the processor, for one answer: the least of some rounds, for whatever else the machine does costs caches and clock. */
async function costMs(answerSchema: AnswerSchema, answer: string): Promise<number> {
  const end = { type: 'end', text: answer, finish_reason: 'stop', raw_finish_reason: 'stop' } as const
  const run = async (rounds: number) => {
    for (let round = 0; round < rounds; round++) {
      const checked = await answerSchema.check(end)
      if (!checked.ok) throw new Error(JSON.stringify(checked.problems))
    }
  }
  await run(100)
  let least = Number.POSITIVE_INFINITY
  for (let round = 0; round < 5; round++) {
    const startedAt = process.cpuUsage()
    await run(60)
    least = Math.min(least, process.cpuUsage(startedAt).user / 1_000 / 60)
  }
  return least
}

test('finding and validating an answer of 4 KB takes no millisecond', async () => {
  const answer = ticketsAnswer()
  expect(answer.length).toBeGreaterThan(4_000)
  const opened = await openJsonSchema(ticketsJson)
  if (!opened.ok) throw new Error(opened.failure.details)
  expect(await costMs(opened.value, answer)).toBeLessThan(1)
  expect(await costMs(await openStandardSchema(ticketsValibot), answer)).toBeLessThan(1)
})

test('an event without a schema loads nothing of all this, nor what finds misspelt fields', async () => {
  const run = async (event: string) => {
    const file = new URL('./list-loaded.mjs', import.meta.url)
    const flags = ['--conditions=@ai-ticket/source', '--disable-warning=ExperimentalWarning']
    const child = spawn(process.execPath, [...flags, file.pathname, event])
    const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)])
    expect(err).toBe('')
    return out
  }
  const heavy = /\/(open-shape|compile-schema|ajv|re2js|jsonrepair|jsonriver)\b/
  const speller = /\/(near-misses|leven)\b/
  const plain = await run('{"content":"Hello.","parameters":{"max_tokens":5}}')
  expect(plain).not.toMatch(heavy)
  expect(plain).not.toMatch(speller)
  const loaded = await run('{"content":"Hello.","schema":{},"max_token":5}')
  expect(loaded).toMatch(heavy)
  expect(loaded).toMatch(speller)
})
