// What a schema adds to an event, in this process: node --conditions=@ai-ticket/source packages/bench/src/event/schema-cost.ts
// Finding the JSON in an answer of 4 KB, validating it and certifying it; the target is 1 ms.
import { type Backend, createDispatcher, type EventInput, type EventOptions } from '@ai-ticket/core'
import * as v from 'valibot'
import { median } from '../numbers/statistics.ts'

const TARGET_MS = 1
const ROUNDS = 2_000

const tickets = Array.from({ length: 20 }, (_, index) => ({
  id: `T-${1000 + index}`,
  category: 'bug',
  priority: 1 + (index % 5),
  mail: `customer-${index}@example.org`,
  tags: ['printer', `floor ${index}`],
  note: index % 2 ? null : 'Says that it worked "yesterday".\nWants a call back.',
}))
const answer = `Here are the tickets:\n\`\`\`json\n${JSON.stringify(tickets, null, 2)}\n\`\`\``

const jsonSchema = {
  type: 'array',
  items: {
    type: 'object',
    properties: {
      id: { type: 'string', pattern: '^T-[0-9]+$' },
      category: { enum: ['bug', 'question', 'praise'] },
      priority: { type: 'integer', minimum: 1, maximum: 5 },
      mail: { type: 'string', format: 'email' },
      tags: { type: 'array', items: { type: 'string' }, uniqueItems: true },
      note: { type: ['string', 'null'] },
    },
    required: ['id', 'category', 'priority', 'mail', 'tags'],
  },
}
const valibotSchema = v.array(
  v.object({
    id: v.pipe(v.string(), v.regex(/^T-[0-9]+$/)),
    category: v.picklist(['bug', 'question', 'praise']),
    priority: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(5)),
    mail: v.pipe(v.string(), v.email()),
    tags: v.array(v.string()),
    note: v.nullish(v.string()),
  }),
)

const backend: Backend = {
  name: 'instant',
  endpoints: [{ name: 'only', turns: true, images: false, tools: false, schema: false }],
  async *generate() {
    yield { type: 'end', text: answer, finish_reason: 'stop', raw_finish_reason: 'stop' }
  },
  probe: async () => ({ models: [] }),
  close: async () => {},
}

await using desk = createDispatcher({ backends: [backend] })

async function medianMs(event: EventInput, options: EventOptions = {}): Promise<number> {
  const times: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const startedAt = performance.now()
    const outcome = await desk.onEvent(event, options)
    times.push(performance.now() - startedAt)
    if (outcome.error !== undefined) throw new Error(outcome.details)
  }
  return median(times)
}

const content = 'Which tickets are open?'
const plain = await medianMs({ content })
const figures = {
  'JSON Schema': (await medianMs({ content, schema: jsonSchema })) - plain,
  valibot: (await medianMs({ content }, { schema: valibotSchema })) - plain,
}
process.stdout.write(
  `an event without a schema: ${plain.toFixed(3)} ms; the answer has ${answer.length} characters\n`,
)
for (const [name, addedMs] of Object.entries(figures)) {
  process.stdout.write(`${name}: + ${addedMs.toFixed(3)} ms (target ${TARGET_MS} ms)\n`)
  if (addedMs > TARGET_MS) process.exitCode = 1
}
