import { JSON_LIMITS } from '@ai-ticket/core'
import * as v from 'valibot'
import {
  COMMON_HEADERS,
  type FailureShape,
  failureAnswers,
  failureCodes,
  HEADERS,
  isLimited,
  RATE_HEADERS,
} from './failure-answers.ts'
import { type JsonSchemas, jsonSchemas } from './json-schemas.ts'
import type {
  Answer,
  AnswerHeader,
  Content,
  DescribedRoute,
  DocumentOptions,
  Operation,
  Parameter,
  RequestBody,
} from './operation.ts'
import { FailureOutcomeSchema, FailureSchema, OpenAiErrorSchema } from './outcome-schemas.ts'

/** An OpenAPI 3.1 document, as JSON. */
export interface OpenApiDocument extends Readonly<Record<string, unknown>> {
  readonly openapi: string
  readonly paths: Readonly<Record<string, Readonly<Record<string, OpenApiOperation>>>>
  readonly components: { readonly schemas: Readonly<Record<string, object>> } & Readonly<
    Record<string, Readonly<Record<string, object>>>
  >
}

interface OpenApiOperation extends Readonly<Record<string, unknown>> {
  readonly operationId: string
  readonly responses: Readonly<Record<string, object>>
}

const inWords = (count: number) => count.toLocaleString('en-US')

const LIMITS =
  `A JSON body holds at most ${JSON_LIMITS.depth} levels, ${inWords(JSON_LIMITS.keys)} keys and ` +
  `${inWords(JSON_LIMITS.values)} values.`

const TAGS = [
  { name: 'Events', description: 'An event in, its outcome out.' },
  { name: 'Tickets', description: 'Events that are stored on disk before they are answered.' },
  { name: 'OpenAI', description: "The same desk for OpenAI's clients." },
  { name: 'Anthropic', description: "The same desk for Anthropic's clients." },
  { name: 'Kobold', description: 'The same desk for clients of KoboldCPP.' },
  { name: 'Operations', description: 'For operators.' },
]

const ALWAYS: Readonly<Record<string, v.GenericSchema>> = {
  Failure: FailureSchema,
  FailureOutcome: FailureOutcomeSchema,
  OpenAiError: OpenAiErrorSchema,
}

const KEY_SCHEMES = {
  bearer: { type: 'http', scheme: 'bearer', description: 'One of the API keys of the server.' },
  header: { type: 'apiKey', in: 'header', name: 'X-API-Key' },
}

/** What the routes say of themselves, as one document. */
export function openApiDocument(
  described: readonly DescribedRoute[],
  options: DocumentOptions,
): OpenApiDocument {
  const { version, withKeys, withLimits } = options
  const routes = described.map((route) => (route.door === undefined ? route : takingEvents(route)))
  const operations = routes.map(({ operation }) => operation)
  const schemas = jsonSchemas(
    Object.assign({}, ALWAYS, ...operations.map((operation) => operation.schemas)),
    operations.flatMap(schemasOf),
  )
  const responses = sharedResponses()
  const paths: Record<string, Record<string, OpenApiOperation>> = {}
  for (const one of routes.toSorted(byTag)) {
    const [method = '', url = ''] = one.route.split(' ')
    const path = one.operation.path ?? url.replace(/:(\w+)/g, '{$1}')
    const written = writeRoute(one, path, { schemas, responses, options })
    paths[path] = { ...paths[path], [method.toLowerCase()]: written }
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'AI Ticket',
      version,
      description: `The front desk of a local LLM server. Every event ends in exactly one outcome. ${LIMITS}`,
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/', description: 'This server.' }],
    security: withKeys ? requirements([]) : [],
    tags: TAGS.filter(({ name }) => operations.some(({ tag }) => tag === name)),
    paths,
    components: {
      schemas: schemas.named,
      responses: responses.named,
      headers: withLimits ? HEADERS : { XRequestId: HEADERS.XRequestId },
      ...(withKeys ? { securitySchemes: KEY_SCHEMES } : {}),
    },
  }
}

/** What all routes that take events read. */
const takingEvents = ({ operation, ...route }: DescribedRoute): DescribedRoute => ({
  ...route,
  operation: { ...operation, parameters: [...(operation.parameters ?? []), PRIORITY] },
})

const PRIORITY: Parameter = {
  name: 'X-Priority',
  in: 'header',
  description:
    'From -100 to 100; higher goes first. A `priority` of the event itself wins, and a key may have a highest one. ' +
    'Default: what the operator has set for the key, else for this API, else 0.',
  schema: v.pipe(v.string(), v.regex(/^[+-]?\d{1,3}$/)),
}

/** Every schema that an operation uses, where it stands. */
function schemasOf({ parameters = [], body, answers }: Operation): v.GenericSchema[] {
  const contents = [body?.content ?? {}, ...Object.values(answers).map(({ content = {} }) => content)]
  return [
    ...parameters.map(({ schema }) => schema),
    ...contents
      .flatMap((content) => Object.values(content))
      .flatMap(({ schema, events = {} }) => [schema, ...Object.values(events)]),
  ]
}

const placeOf = ({ operation }: DescribedRoute) => TAGS.findIndex(({ name }) => name === operation.tag)
const byTag = (one: DescribedRoute, other: DescribedRoute) => placeOf(one) - placeOf(other)

/** Any one of the scopes is enough, in either way of sending the key. */
function requirements(scopes: readonly string[]): Record<string, string[]>[] {
  const alternatives = scopes.length === 0 ? [[]] : scopes.map((scope) => [scope])
  return alternatives.flatMap((names) => Object.keys(KEY_SCHEMES).map((scheme) => ({ [scheme]: names })))
}

interface Writing {
  readonly schemas: JsonSchemas
  readonly responses: SharedResponses
  readonly options: DocumentOptions
}

function writeRoute(route: DescribedRoute, path: string, writing: Writing): OpenApiOperation {
  const { schemas, responses, options } = writing
  const { operationId, summary, description, tag, parameters = [], body, answers } = route.operation
  const shape = shapeOf(route, path, options)
  return {
    operationId,
    summary,
    ...(description === undefined ? {} : { description }),
    tags: [tag],
    ...securityOf(route, options),
    ...(parameters.length === 0 ? {} : { parameters: parameters.map((one) => writeParameter(one, schemas)) }),
    ...(body === undefined ? {} : { requestBody: writeBody(body, schemas) }),
    responses: {
      ...mapValues(answers, (answer) => writeAnswer(answer, schemas, isLimited(route, options))),
      ...responses.share(
        typeof shape === 'string' ? shape : shape.name,
        failureAnswers(failureCodes(route, options), shape),
      ),
    },
  }
}

function shapeOf(
  { operation: { failureShape } }: DescribedRoute,
  path: string,
  { dialects }: DocumentOptions,
): FailureShape {
  const dialect = dialects.find((one) => one.covers(path))
  return dialect ?? (failureShape === 'event' ? 'EventFailure' : 'Failure')
}

function securityOf({ operation: { access }, scopes }: DescribedRoute, { withKeys }: DocumentOptions) {
  if (access === 'open' || access === 'keyless') return { security: [] }
  return withKeys ? { security: requirements(scopes.length === 0 ? ['admin'] : scopes) } : {}
}

const writeParameter = ({ schema, required, ...rest }: Parameter, schemas: JsonSchemas) => ({
  ...rest,
  required: required ?? rest.in === 'path',
  schema: schemas.convert(schema),
})

const writeBody = ({ required = true, content }: RequestBody, schemas: JsonSchemas) => ({
  required,
  content: mapValues(content, (one) => writeContent(one, schemas)),
})

function writeAnswer(
  { description, headers = {}, content = {} }: Answer,
  schemas: JsonSchemas,
  withRate: boolean,
) {
  const types = mapValues(content, (one) => writeContent(one, schemas))
  return {
    description,
    headers: { ...COMMON_HEADERS, ...(withRate ? RATE_HEADERS : {}), ...mapValues(headers, writeHeader) },
    ...(Object.keys(types).length === 0 ? {} : { content: types }),
  }
}

const writeHeader = ({ description, required = false }: AnswerHeader) => ({
  description,
  required,
  schema: { type: 'string' },
})

/** OpenAPI 3.1 has no words for the events of a stream: `x-events` has the schema of the data of each. */
function writeContent({ schema, examples, events }: Content, schemas: JsonSchemas) {
  return {
    schema: schemas.convert(schema),
    ...(examples === undefined ? {} : { examples: mapValues(examples, (value) => ({ value })) }),
    ...(events === undefined ? {} : { 'x-events': mapValues(events, (data) => schemas.convert(data)) }),
  }
}

const mapValues = <Value, Result>(
  record: Readonly<Record<string, Value>>,
  change: (value: Value) => Result,
): Record<string, Result> =>
  Object.fromEntries(Object.entries(record).map(([name, value]) => [name, change(value)]))

interface SharedResponses {
  /** What `components.responses` holds. */
  readonly named: Readonly<Record<string, object>>
  /** References to responses by status; the same response is there once. */
  share(shape: string, responses: Readonly<Record<number, object>>): Record<string, object>
}

/** Most routes fail in the same ways. Names are the shape and the status, with a number from the second of them on. */
function sharedResponses(): SharedResponses {
  const named: Record<string, object> = {}
  const names = new Map<string, string>()
  const nameOf = (base: string, response: object): string => {
    const key = `${base} ${JSON.stringify(response)}`
    let name = names.get(key)
    for (let number = 1; name === undefined; number++) {
      const free = number === 1 ? base : `${base}_${number}`
      if (!Object.hasOwn(named, free)) name = free
    }
    names.set(key, name)
    named[name] = response
    return name
  }
  return {
    named,
    share(shape, responses) {
      const entries = Object.entries(responses).map(([status, response]) => [
        status,
        { $ref: `#/components/responses/${nameOf(`${shape}${status}`, response)}` },
      ])
      return Object.fromEntries(entries)
    },
  }
}
