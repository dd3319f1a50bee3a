import * as v from 'valibot'
import { plainObject } from '../contract/json-value.ts'
import { ParametersSchema } from './parameters.ts'
import { ROLES } from './read-turn.ts'

// What `extractPrompt` takes, in the form that descriptions are generated from. A test holds the two together.

const imageUrl = v.pipe(v.string(), v.startsWith('data:image/'))

const TextPartSchema = v.object({ type: v.literal('text'), text: v.string() })
const ImagePartSchema = v.object({
  type: v.literal('image_url'),
  image_url: v.union([imageUrl, v.object({ url: imageUrl, detail: v.optional(v.unknown()) })]),
})

/** A part of a turn: text, or an image as a data URL. */
export const ContentPartSchema = v.union([TextPartSchema, ImagePartSchema])

const parts = v.array(v.union([v.string(), ContentPartSchema]))

const turn = {
  role: v.picklist(Object.keys(ROLES)),
  name: v.optional(v.unknown()),
  tool_call_id: v.optional(v.unknown()),
}

/** One message. Without content only where it calls tools. */
export const MessageSchema = v.union([
  v.object({ ...turn, content: v.union([v.string(), parts]), tool_calls: v.optional(v.unknown()) }),
  v.object({
    ...turn,
    content: v.nullish(v.union([v.string(), parts])),
    tool_calls: v.pipe(v.array(v.unknown()), v.minLength(1)),
  }),
])

/** Messages, or strings (one user turn each), or the parts of one user turn; never a mixture. */
export const MessageListSchema = v.union([
  v.array(MessageSchema),
  v.array(v.string()),
  v.array(ContentPartSchema),
])

const parameters = ParametersSchema.pipe[1].entries
const unset = v.optional(v.null())

/** The `content` of an event. A string that holds JSON is read like the JSON, which no schema can say. */
export const ContentSchema = v.union([
  v.string(),
  MessageListSchema,
  v.pipe(plainObject, v.object({ ...parameters, messages: MessageListSchema })),
  v.pipe(plainObject, v.object({ ...parameters, prompt: v.string(), messages: unset })),
  // Its text is the prompt.
  v.pipe(plainObject, v.object({ prompt: unset, messages: unset })),
])
