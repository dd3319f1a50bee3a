/** A request that must be refused, and with which status. */
export interface BadRequest {
  readonly name: string
  readonly body: string
  readonly contentType?: string
  readonly status: number
}

const event = (fields: object): string => JSON.stringify({ content: 'Hello', ...fields })

export const BAD_REQUESTS: readonly BadRequest[] = [
  { name: 'half a JSON', body: '{"content": "Hel', status: 400 },
  { name: 'a list', body: '["Hello"]', status: 400 },
  { name: 'no content', body: '{}', status: 400 },
  { name: 'a number as content', body: event({ content: 7 }), status: 400 },
  { name: 'white space as content', body: event({ content: ' \n ' }), status: 422 },
  { name: 'no room for an answer', body: event({ parameters: { max_tokens: 0 } }), status: 400 },
  { name: 'an unknown backend', body: event({ backend: 'nobody' }), status: 404 },
  { name: 'too deep', body: `${'['.repeat(5000)}${']'.repeat(5000)}`, status: 400 },
  { name: 'a form', body: 'content=Hello', contentType: 'application/x-www-form-urlencoded', status: 415 },
]
