import { MIMEType } from 'node:util'
import { RequestProblem } from '../http/request-problem.ts'

/** A CloudEvent 1.0, checked. */
export interface CloudEvent {
  /** Unique among the events of its `source`. */
  readonly id: string
  /** Where it happened, as a URI reference. */
  readonly source: string
  /** What happened, such as `com.example.mail.received`. */
  readonly type: string
  /** All that are set, these three and extensions included; integers and booleans as their text. */
  readonly attributes: Attributes
  /** A JSON value, or the text of what is not JSON. Undefined: there is none. */
  readonly data: unknown
}

export type Attributes = Readonly<Record<string, string>>

/** Attributes that an event must have. */
export const REQUIRED = ['specversion', 'id', 'source', 'type'] as const

/** Undefined: it is none. */
export function mediaTypeOf(text: string): MIMEType | undefined {
  try {
    return new MIMEType(text)
  } catch {
    return undefined
  }
}

export const isJson = ({ subtype }: MIMEType): boolean => subtype === 'json' || subtype.endsWith('+json')

/** What is text although it does not say `text/`. */
const TEXT_SUBTYPES = new Set(['xml', 'yaml', 'x-yaml', 'x-ndjson', 'jsonl', 'toml', 'javascript', 'sql'])

export const isText = ({ type, subtype }: MIMEType): boolean =>
  type === 'text' || /\+(?:xml|yaml)$/.test(subtype) || (type === 'application' && TEXT_SUBTYPES.has(subtype))

/** 400; the details name what is wrong with the CloudEvent. */
export const invalidEvent = (details: string): RequestProblem =>
  new RequestProblem({ code: 'invalid_input_format', details })

export const unsupportedType = (details: string): RequestProblem =>
  new RequestProblem({ code: 'unsupported_media_type', details })
