import * as v from 'valibot'
import { ContentSchema } from './event/content-schema.ts'
import { EventFieldsSchema } from './event/event.ts'

/** An event as callers send it. Unknown fields are ignored, null means unset. */
export const EventSchema = v.object({ content: ContentSchema, ...EventFieldsSchema.entries })

export { plainObject } from './contract/json-value.ts'
export { ContentPartSchema, ContentSchema, MessageListSchema, MessageSchema } from './event/content-schema.ts'
export { ParametersSchema } from './event/parameters.ts'
