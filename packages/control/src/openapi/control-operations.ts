import type { Answer, Operation } from '@ai-ticket/http-server/openapi'
import type { GenericSchema } from 'valibot'
import { CallerSchema, CONTROL_SCHEMAS } from './control-schemas.ts'

const tag = 'Operations'
const schemas = CONTROL_SCHEMAS
const json = (description: string, schema: GenericSchema): Answer => ({
  description,
  headers: { 'cache-control': { description: '`no-store`.', required: true } },
  content: { 'application/json': { schema } },
})

export const getCaller: Operation = {
  operationId: 'getCaller',
  summary: 'Who asks, what they may do, and which server answers',
  tag,
  answers: { 200: json('The caller.', CallerSchema) },
  failures: [],
  schemas,
}
