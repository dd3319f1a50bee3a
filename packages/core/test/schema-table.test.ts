import { describe, expect, test } from 'vitest'
import { openJsonSchema } from '../src/answer-schema/open-answer-schema.ts'
import { BAD_ANSWERS } from './bad-answers.ts'
import { SCHEMA_CASES } from './schema-cases.ts'

async function check(schema: Record<string, unknown>, text: string, rawFinishReason = 'stop') {
  const opened = await openJsonSchema(schema)
  if (!opened.ok) throw new Error(opened.failure.details)
  const checked = await opened.value.check({
    type: 'end',
    text,
    finish_reason: 'stop',
    raw_finish_reason: rawFinishReason,
  })
  return checked.ok
    ? { data: checked.data }
    : { rules: checked.problems.map(({ path, rule }) => `${path} ${rule}`) }
}

test('the table is as wide as it says', () => {
  expect(SCHEMA_CASES.length).toBeGreaterThanOrEqual(40)
  expect(BAD_ANSWERS.length).toBeGreaterThanOrEqual(15)
})

describe.each(SCHEMA_CASES)('$name', ({ schema, right, wrong }) => {
  test('the right value', async () => {
    expect(await check(schema, JSON.stringify(right))).toEqual({ data: right })
  })

  test('the wrong value', async () => {
    const { rules } = await check(schema, JSON.stringify(wrong.value))
    expect(rules).toContain(`${wrong.path} ${wrong.rule}`)
  })

  test.each(BAD_ANSWERS)('$name', async ({ write, rule, rawFinishReason }) => {
    const text = write(JSON.stringify(right))
    if (text === undefined) return
    expect(await check(schema, text, rawFinishReason)).toEqual(
      rule === undefined ? { data: right } : { rules: [` ${rule}`] },
    )
  })
})
