import * as v from 'valibot'
import { CloudEventSchema } from './cloud-event-schemas.ts'
import type { Content, Parameter } from './operation.ts'

const header = (name: string, description: string): Parameter => ({
  name,
  in: 'header',
  description,
  schema: v.string(),
})

/** What makes a request a CloudEvent in binary mode. */
export const CLOUD_EVENT_HEADERS: readonly Parameter[] = [
  header('Ce-Specversion', 'CloudEvents in binary mode: `1.0`. The body is then the data, JSON or text.'),
  header('Ce-Id', 'CloudEvents in binary mode.'),
  header(
    'Ce-Source',
    'CloudEvents in binary mode: a URI-reference. The same source and id is the same event.',
  ),
  header('Ce-Type', 'CloudEvents in binary mode.'),
]

/** Bodies beside JSON. */
export const CLOUD_EVENT_CONTENT: Readonly<Record<string, Content>> = {
  'application/cloudevents+json': { schema: CloudEventSchema },
  'text/*': { schema: v.pipe(v.string(), v.description('The data of a CloudEvent in binary mode.')) },
}
