/**
 * Any schema that follows the Standard Schema specification (https://standardschema.dev, version 1): valibot, zod 4,
 * arktype and others. What it makes of the answer is the `data` of the outcome.
 */
export interface StandardSchema<Input = unknown, Output = Input> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly validate: (value: unknown) => StandardResult<Output> | Promise<StandardResult<Output>>
    /** Standard JSON Schema: zod from 4.2, arktype from 2.1.28. */
    readonly jsonSchema?: { readonly input: (options: { readonly target: 'draft-2020-12' }) => JsonSchema }
    readonly types?: { readonly input: Input; readonly output: Output } | undefined
  }
}

/** A checked value, or what is wrong with it. */
export type StandardResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly StandardIssue[] }

/** Why a value does not fit, in the words of its schema. */
export interface StandardIssue {
  /** In plain words. It may hold the value. */
  readonly message: string
  /** Where it stands in the value. Absent: it is the value itself. */
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined
}

/** What a program gets when the answer matches. */
export type DataOf<Schema extends StandardSchema> = NonNullable<Schema['~standard']['types']>['output']

export type JsonSchema = Record<string, unknown>
