/** A CloudEvent 1.0, checked. */
export interface CloudEvent {
  readonly id: string
  readonly source: string
  readonly type: string
  /** All that are set, these three and extensions included; integers and booleans as their text. */
  readonly attributes: Attributes
  /** A JSON value, or the text of what is not JSON. Undefined: there is none. */
  readonly data: unknown
}

export type Attributes = Readonly<Record<string, string>>

/** Attributes that an event must have. */
export const REQUIRED = ['specversion', 'id', 'source', 'type'] as const
