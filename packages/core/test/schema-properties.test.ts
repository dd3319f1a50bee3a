import { parseJson } from '@ai-ticket/core'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { openJsonSchema } from '../src/answer-schema/open-answer-schema.ts'
import { type SchemaPair, schemaPair } from './schema-values.ts'

async function check(schema: Record<string, unknown>, text: string, rawFinishReason = 'stop') {
  const opened = await openJsonSchema(schema)
  if (!opened.ok) throw new Error(opened.failure.details)
  return opened.value.check({ type: 'end', text, finish_reason: 'stop', raw_finish_reason: rawFinishReason })
}

/** Faults that leave no doubt what was meant. */
const faults: readonly ((json: string) => string)[] = [
  (json) => `\`\`\`json\n${json}\n\`\`\``,
  (json) => `Here you are:\n\n${json}`,
  (json) => `${json}\n\nAnything else?`,
  (json) =>
    json.replace(/([\]}])$/, (end, _group, at) => (/[[{]$/.test(json.slice(0, at)) ? end : `,${end}`)),
  (json) => JSON.stringify(JSON.parse(json), null, 2),
  (json) => `<think>{"draft": [1, 2]}</think>${json}`,
  (json) => `\uFEFF \n${json}\n `,
]

const pretty = (pair: SchemaPair) => JSON.stringify(pair.value)

test('a value is found in its own JSON, whatever fault surrounds it', async () => {
  await fc.assert(
    fc.asyncProperty(schemaPair, fc.constantFrom(...faults), async (pair, fault) => {
      const checked = await check(pair.schema, fault(pretty(pair)))
      expect(checked).toMatchObject({ ok: true })
      expect(checked.ok && checked.data).toEqual(pair.value)
    }),
    { numRuns: 400 },
  )
})

test('JSON that is cut off anywhere is never completed by guessing', async () => {
  await fc.assert(
    fc.asyncProperty(schemaPair, fc.double({ min: 0, max: 0.999, noNaN: true }), async (pair, part) => {
      const json = pretty(pair)
      const text = json.slice(0, Math.max(1, Math.floor(json.length * part)))
      const checked = await check(pair.schema, text, 'length')
      expect(checked).toMatchObject({ ok: false, isCutOff: true, problems: [{ rule: 'incomplete' }] })
    }),
    { numRuns: 200 },
  )
})

test('whatever the text, the data match the schema or the problems say why not', async () => {
  const garbage = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 200 }),
    fc
      .array(fc.constantFrom('{', '}', '[', ']', '"', ':', ',', '\\', '```', '\n', 'a', '1', '//', "'"), {
        maxLength: 80,
      })
      .map((parts) => parts.join('')),
  )
  await fc.assert(
    fc.asyncProperty(
      schemaPair,
      garbage,
      fc.double({ min: 0, max: 1, noNaN: true }),
      async (pair, noise, at) => {
        const json = pretty(pair)
        const cut = Math.floor(json.length * at)
        const checked = await check(pair.schema, json.slice(0, cut) + noise + json.slice(cut))
        if (!checked.ok) {
          expect(checked.problems.length).toBeGreaterThan(0)
          return
        }
        expect(await check(pair.schema, JSON.stringify(checked.data))).toMatchObject({ ok: true })
        expect(parseJson(checked.text)).toEqual(checked.data)
      },
    ),
    { numRuns: 400 },
  )
})

test.each([
  ['brackets without end', '['.repeat(500_000)],
  ['objects without end', '{"a":'.repeat(100_000)],
  ['pairs of brackets', '[]'.repeat(200_000)],
  ['comments', `[${'/*'.repeat(30_000)}`],
  ['quotes', `[${'a "'.repeat(20_000)}`],
  ['fences', '```\n'.repeat(100_000)],
  ['thoughts', '<think>'.repeat(100_000)],
  ['ends of thoughts within JSON', `So: ["${'</think>'.repeat(100_000)}"]`],
])('an endless answer of %s is read in time', async (_what, text) => {
  const startedAt = process.cpuUsage()
  expect(await check({ type: 'object', required: ['x'] }, text)).toMatchObject({ ok: false })
  // Of the processor, whatever else the machine does.
  expect(process.cpuUsage(startedAt).user / 1_000).toBeLessThan(3_000)
})
