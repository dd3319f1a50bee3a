// A support mail becomes data that a program can trust: node examples/triage.ts
// The schema types `outcome.data`; the backend is made to obey it, and the answer is validated whatever the backend did.
// It asks the KoboldCPP that KOBOLDCPP_API_URL names, or a simulator that it starts itself and that errs once.
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { createDispatcher, createKoboldBackend, type MessageInput } from '@ai-ticket/core'
import { startKoboldSimulator } from '@ai-ticket/testkit'
import * as v from 'valibot'

const Triage = v.object({
  category: v.picklist(['delivery', 'technical', 'praise', 'other']),
  priority: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(5)),
  summary: v.pipe(v.string(), v.maxLength(200)),
  reply_draft: v.string(),
})

// What a model without a grammar says: first prose with a field too few, then, told what is wrong, the whole.
const answers = [
  'Sure! {"category": "delivery", "summary": "Order 4711 is late.", "reply_draft": "Dear Ann, …"}',
  '{"category":"delivery","priority":4,"summary":"Order 4711 is late.","reply_draft":"Dear Ann, …"}',
]
const simulator = process.env.KOBOLDCPP_API_URL
  ? undefined
  : await startKoboldSimulator({ ignoreSchema: true, answer: () => answers.shift() ?? '' })
const url = process.env.KOBOLDCPP_API_URL ?? simulator?.url ?? ''

const dispatcher = createDispatcher({ backends: [createKoboldBackend({ url })] })
try {
  const mail = await readFile(new URL('./mails/late-order.txt', import.meta.url), 'utf8')
  const content: MessageInput[] = [
    { role: 'system', content: 'You sort the mail of a lamp shop. Priority 5 is the most urgent.' },
    { role: 'user', content: mail },
  ]
  const outcome = await dispatcher.onEvent({ content }, { schema: Triage })
  if (outcome.error) throw new Error(`${outcome.error}: ${outcome.details}`)

  const { category, priority, summary } = outcome.data
  process.stdout.write(`${category}, priority ${priority}: ${summary}\n`)

  assert.ok(v.is(Triage, outcome.data))
  assert.ok(['backend', 'validator', 'repair'].includes(outcome.schema.enforced_by))
  assert.deepEqual(JSON.parse(outcome.completion), outcome.data)
  if (simulator) {
    const errors = [{ path: '/priority', rule: 'required' }]
    assert.deepEqual(outcome.schema, { enforced_by: 'repair', repairs: 1, errors })
  }
} finally {
  await dispatcher.close()
  await simulator?.close()
}
