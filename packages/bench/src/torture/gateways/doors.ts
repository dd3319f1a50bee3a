/** What a caller asks, whatever the API. */
interface Asking {
  readonly model: string
  readonly prompt: string
  readonly maxTokens: number
  readonly stream: boolean
  /** JSON Schema of the answer. */
  readonly schema?: object | undefined
  /** By which KoboldCPP's API knows the generation. */
  readonly genkey?: string | undefined
}

/** An API by which a gateway is asked. */
export interface Door {
  /** After the gateway's address. */
  readonly path: string
  /** Where streams have another one. */
  readonly streamPath?: string
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
  // It names no model: behind each address there is one server.
  kobold: {
    path: '/api/v1/generate',
    streamPath: '/api/extra/generate/stream',
    body: ({ prompt, maxTokens, genkey }) => ({ prompt, max_length: maxTokens, ...(genkey && { genkey }) }),
  },
} as const satisfies Readonly<Record<string, Door>>

export type DoorName = keyof typeof DOORS

/** What every row may be asked by, except what one API lacks. */
export const WITH_SCHEMAS: readonly DoorName[] = ['chat', 'messages', 'responses']

export const DOOR_NAMES = Object.keys(DOORS) as readonly DoorName[]
