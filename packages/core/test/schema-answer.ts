import * as v from 'valibot'

export const ticketsJson = {
  type: 'array',
  items: {
    type: 'object',
    properties: {
      id: { type: 'string', pattern: '^T-[0-9]+$' },
      category: { enum: ['bug', 'question', 'praise'] },
      priority: { type: 'integer', minimum: 1, maximum: 5 },
      mail: { type: 'string', format: 'email' },
      tags: { type: 'array', items: { type: 'string', maxLength: 20 }, uniqueItems: true },
      note: { type: ['string', 'null'] },
    },
    required: ['id', 'category', 'priority', 'mail', 'tags'],
    additionalProperties: false,
  },
}

export const ticketsValibot = v.array(
  v.strictObject({
    id: v.pipe(v.string(), v.regex(/^T-[0-9]+$/)),
    category: v.picklist(['bug', 'question', 'praise']),
    priority: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(5)),
    mail: v.pipe(v.string(), v.email()),
    tags: v.array(v.pipe(v.string(), v.maxLength(20))),
    note: v.nullish(v.string()),
  }),
)

/** An answer of about 4 KB, as a model writes it: indented, in a fence, with words before. */
export function ticketsAnswer(count = 20): string {
  const tickets = Array.from({ length: count }, (_, index) => ({
    id: `T-${1000 + index}`,
    category: 'bug',
    priority: 1 + (index % 5),
    mail: `customer-${index}@example.org`,
    tags: ['printer', `floor ${index}`],
    note: index % 2 ? null : 'Says that it worked "yesterday".\nWants a call back.',
  }))
  return `Here are the tickets:\n\`\`\`json\n${JSON.stringify(tickets, null, 2)}\n\`\`\``
}
