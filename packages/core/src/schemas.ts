import * as v from 'valibot'
import { ContentSchema } from './content-schema.ts'
import { EventFieldsSchema } from './event.ts'

/** An event as callers send it. Unknown fields are ignored, null means unset. */
export const EventSchema = v.object({ content: ContentSchema, ...EventFieldsSchema.entries })

export { ContentPartSchema, ContentSchema, MessageListSchema, MessageSchema } from './content-schema.ts'
export { plainObject } from './contract/plain-object.ts'
export { ParametersSchema } from './parameters.ts'
