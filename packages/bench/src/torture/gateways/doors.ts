/** What a caller asks, whatever the API. */
interface Asking {
  readonly model: string
  readonly prompt: string
  readonly maxTokens: number
  readonly stream: boolean
  /** JSON Schema of the answer. */
  readonly schema?: object | undefined
}

/** An API by which a gateway is asked. */
interface Door {
  /** After the gateway's address. */
  readonly path: string
  body(asking: Asking): object
}

const turns = (prompt: string) => [{ role: 'user', content: prompt }]

/** The APIs that the rows can go through. */
export const DOORS = {
  chat: {
    path: '/v1/chat/completions',
    body: ({ model, prompt, maxTokens, stream, schema }) => ({
      ...{ model, messages: turns(prompt), max_tokens: maxTokens, stream },
      ...(schema && {
        response_format: { type: 'json_schema', json_schema: { name: 'place', strict: true, schema } },
      }),
    }),
  },
  messages: {
    path: '/v1/messages',
    body: ({ model, prompt, maxTokens, stream, schema }) => ({
      ...{ model, messages: turns(prompt), max_tokens: maxTokens, stream },
      ...(schema && { output_config: { format: { type: 'json_schema', schema } } }),
    }),
  },
  responses: {
    path: '/v1/responses',
    body: ({ model, prompt, maxTokens, stream, schema }) => ({
      ...{ model, input: prompt, max_output_tokens: maxTokens, stream },
      ...(schema && { text: { format: { type: 'json_schema', name: 'place', strict: true, schema } } }),
    }),
  },
} as const satisfies Readonly<Record<string, Door>>

export type DoorName = keyof typeof DOORS

export const DOOR_NAMES = Object.keys(DOORS) as readonly DoorName[]
