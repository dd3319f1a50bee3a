import * as v from 'valibot'

// The types are in ../bodies; `openapi.test.ts` holds the two together.

const timestamp = v.pipe(v.string(), v.isoTimestamp())

export const CallerSchema = v.object({
  object: v.literal('caller'),
  name: v.pipe(
    v.nullable(v.string()),
    v.description('The name of the API key; null without one, or where none are wanted.'),
  ),
  scopes: v.pipe(
    v.array(v.picklist(['events', 'read', 'admin'])),
    v.description('What the caller may do. `admin` brings the others along.'),
  ),
  keys: v.pipe(v.boolean(), v.description('Whether callers have to show an API key.')),
  version: v.string(),
  worker: v.pipe(v.string(), v.description('The name of this server among those on one store.')),
  started_at: timestamp,
  store: v.pipe(v.picklist(['sqlite', 'postgres', 'none']), v.description('Where the tickets are.')),
  history: v.pipe(
    v.picklist(['full', 'metadata', 'off']),
    v.description('What is kept of events that are answered at once.'),
  ),
  callbacks: v.pipe(v.boolean(), v.description('Whether events may name a `callback_url`.')),
})

export const CONTROL_SCHEMAS = { Caller: CallerSchema }
