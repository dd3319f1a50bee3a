import type { GenericSchema } from 'valibot'
import * as v from 'valibot'
import {
  ChatCompletionChunkSchema,
  ChatCompletionSchema,
  ChatRequestSchema,
  DoneSchema,
  ModelListSchema,
  ModelSchema,
  TextCompletionChunkSchema,
  TextCompletionSchema,
  TextRequestSchema,
} from './completion-schemas.ts'
import { EVENT_SCHEMAS } from './event-schemas.ts'
import type { Content, Operation } from './operation.ts'
import { EVENT_FAILURES } from './operations.ts'
import { OpenAiErrorSchema, OUTCOME_SCHEMAS } from './outcome-schemas.ts'

interface Dialect {
  readonly operationId: string
  readonly summary: string
  readonly body: Content
  readonly whole: GenericSchema
  readonly chunk: GenericSchema
  readonly schemas: Readonly<Record<string, GenericSchema>>
}

const completion = ({ operationId, summary, body, whole, chunk, schemas }: Dialect): Operation => ({
  operationId,
  summary,
  description:
    'With `"stream": true` the answer comes in chunks, and the last is `[DONE]`. The head waits for the first text, but ' +
    'not for more than 15 s, so that an error before it has its status; a later one is a chunk with `error`, and the ' +
    'connection is closed behind it.',
  tag: 'OpenAI',
  body: { content: { 'application/json': body } },
  answers: {
    200: {
      description: 'The completion.',
      content: {
        'application/json': { schema: whole },
        'text/event-stream': {
          schema: v.string(),
          events: { message: v.union([chunk, OpenAiErrorSchema, DoneSchema]) },
        },
      },
    },
  },
  failures: EVENT_FAILURES,
  schemas: { ...OUTCOME_SCHEMAS, ...EVENT_SCHEMAS, ...schemas },
})

export const postChatCompletion = completion({
  operationId: 'createChatCompletion',
  summary: 'Answer a chat',
  body: {
    schema: ChatRequestSchema,
    examples: { chat: { messages: [{ role: 'user', content: 'Why is the sky blue?' }] } },
  },
  whole: ChatCompletionSchema,
  chunk: ChatCompletionChunkSchema,
  schemas: {
    ChatRequest: ChatRequestSchema,
    ChatCompletion: ChatCompletionSchema,
    ChatCompletionChunk: ChatCompletionChunkSchema,
  },
})

export const postTextCompletion = completion({
  operationId: 'createCompletion',
  summary: 'Continue a text',
  body: { schema: TextRequestSchema, examples: { text: { prompt: 'The sky is blue because' } } },
  whole: TextCompletionSchema,
  chunk: TextCompletionChunkSchema,
  schemas: {
    TextRequest: TextRequestSchema,
    TextCompletion: TextCompletionSchema,
    TextCompletionChunk: TextCompletionChunkSchema,
  },
})

const schemas = { Model: ModelSchema, ModelList: ModelListSchema }

export const getModels: Operation = {
  operationId: 'listModels',
  summary: 'List the models that the backends serve now',
  tag: 'OpenAI',
  answers: {
    200: { description: 'The models.', content: { 'application/json': { schema: ModelListSchema } } },
  },
  failures: [],
  schemas,
}

export const getModel: Operation = {
  operationId: 'retrieveModel',
  summary: 'Look up a model',
  tag: 'OpenAI',
  path: '/v1/models/{model}',
  parameters: [
    {
      name: 'model',
      in: 'path',
      description: 'The name of the model. You need not encode slashes.',
      schema: v.string(),
    },
  ],
  answers: { 200: { description: 'The model.', content: { 'application/json': { schema: ModelSchema } } } },
  failures: ['not_found'],
  schemas,
}
