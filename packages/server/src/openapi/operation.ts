import type { FailureCode } from '@ai-ticket/core'
import type * as v from 'valibot'
import type { GenericSchema } from 'valibot'
import type { Scope } from '../gate/api-key.ts'
import type { FailureDialect } from '../http/reply.ts'

/**
 * What a route says of itself, for `GET /openapi.json`. Schemas are valibot's: the ones that validate, where something
 * is validated. Failures are codes: their statuses and shapes follow from the table of codes and the address.
 */
export interface Operation {
  /** Unique; what generated clients call the method. */
  readonly operationId: string
  /** One line, without a full stop. */
  readonly summary: string
  /** Markdown. */
  readonly description?: string
  /** The heading that it is listed under. */
  readonly tag: Tag
  /** The address as a template, where Fastify's own is not one: `/v1/models/{model}` for `/v1/models/*`. */
  readonly path?: string
  /** Default: none. */
  readonly parameters?: readonly Parameter[]
  /** Default: the route reads none. */
  readonly body?: RequestBody
  /** By status: everything but failures. */
  readonly answers: Readonly<Record<number, Answer>>
  /** Codes that this route can end in, beside those that `access` and `body` bring along. */
  readonly failures: readonly FailureCode[]
  /**
   * How failures are told. `event`: with the outcome behind them where there is one, also as a CloudEvent. Default:
   * `plain`. Where a dialect covers the address, as the dialect does.
   */
  readonly failureShape?: 'plain' | 'event'
  /**
   * `open`: for anybody, with any `Host`, also while the server drains. `keyless`: without a key (`isKeyless` of the
   * route). Default: `guarded`.
   */
  readonly access?: 'open' | 'keyless' | 'guarded'
  /** Schemas that get a name of their own; wherever one of them is used, its name stands. */
  readonly schemas?: Readonly<Record<string, GenericSchema>>
}

/** The headings of the OpenAPI document. */
export type Tag = 'Events' | 'Tickets' | 'OpenAI' | 'Anthropic' | 'Kobold' | 'Operations'

/** One value that the address or a header of a request holds. */
export interface Parameter {
  /** As callers write it; that of a header in any case. */
  readonly name: string
  /** Where it stands. */
  readonly in: 'path' | 'query' | 'header'
  /** Markdown. */
  readonly description: string
  /** Its value; in an address or a header it is a text at first. */
  readonly schema: GenericSchema
  /** Default: only what stands in the path. */
  readonly required?: boolean
}

/** The body that a route reads. */
export interface RequestBody {
  /** Default: true. */
  readonly required?: boolean
  /** By media type. */
  readonly content: Readonly<Record<string, Content>>
}

/** What a route answers with one status. */
export interface Answer {
  /** Markdown. */
  readonly description: string
  /** By lower-case name; beside `X-Request-Id`, which every answer has. */
  readonly headers?: Readonly<Record<string, AnswerHeader>>
  /** By media type. Absent: no body. */
  readonly content?: Readonly<Record<string, Content>>
}

/** A header of an answer; its value is a text. */
export interface AnswerHeader {
  /** Markdown. */
  readonly description: string
  /** Default: false. */
  readonly required?: boolean
}

/** A body in one media type. */
export interface Content {
  /** The body, once it is parsed. */
  readonly schema: GenericSchema
  /** By name, for people. */
  readonly examples?: Readonly<Record<string, unknown>>
  /** The data of server-sent events, by the name of the event; `message` is one without a name. */
  readonly events?: Readonly<Record<string, GenericSchema>>
}

/** Asked once, when the document is: schemas cost nothing before. */
export type DescribeOperation = () => Operation | Promise<Operation>

/** A route with what it says of itself. */
export interface DescribedRoute {
  /** `METHOD /path`, as Fastify knows it. */
  readonly route: string
  /** With what plugins added to it. */
  readonly operation: Operation
  /** Of the keys that may ask, without `admin`, which always may. */
  readonly scopes: readonly Scope[]
  /** No limit of requests counts it. */
  readonly isUnlimited: boolean
  /** The API that it belongs to, where it takes events. */
  readonly door: string | undefined
}

type Words<Entries extends v.ObjectEntries> = Readonly<Partial<Record<keyof Entries & string, string>>>

const WORDS = new WeakMap<object, Readonly<Record<string, string | undefined>>>()

/**
 * Words for the fields of an object. They stand beside the schema, not in it: what validates on the hot path stays lean,
 * and a field with a named schema stays a reference.
 */
export function described<Schema extends { readonly entries: v.ObjectEntries }>(
  schema: Schema,
  words: Words<Schema['entries']>,
): Schema {
  WORDS.set(schema, words)
  return schema
}

export const wordsOf = (schema: object): Readonly<Record<string, string | undefined>> =>
  WORDS.get(schema) ?? {}

export interface DocumentOptions {
  readonly version: string
  /** Whether callers have to show one. */
  readonly withKeys: boolean
  /** Whether there is a limit to how many requests they may send. */
  readonly withLimits: boolean
  /** How failures are told at which addresses; the first that covers one counts. */
  readonly dialects: readonly FailureDialect[]
}
