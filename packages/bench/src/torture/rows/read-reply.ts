import type { Chatted } from './chat.ts'

/** How a reply in one of OpenAI's dialects, in Anthropic's or in KoboldCPP's ended, seen by a client that reads it as they do. */
export type ReplyEnd =
  | { readonly as: 'answer'; readonly text: string }
  /** Said so: a status, or an error within the stream. */
  | { readonly as: 'error'; readonly what: string }
  | { readonly as: 'cut' }

export function readReply({ status, text, isCut, headers }: Chatted): ReplyEnd {
  if (isCut) return { as: 'cut' }
  if (status >= 400) return { as: 'error', what: `status ${status}` }
  const isStream = /event-stream/.test(String(headers['content-type']))
  const objects = isStream ? dataOf(text) : [parse(text)]
  const failed = objects.find(isFailure)
  if (failed !== undefined) return { as: 'error', what: 'an error in the stream' }
  // The official clients do not ask for [DONE] nor for a finish reason: a stream that ends has ended well to them.
  return { as: 'answer', text: objects.map(textOf).join('') }
}

/** The data of each event, parsed; those that are no JSON are left out. */
const dataOf = (text: string): unknown[] =>
  [...text.matchAll(/^data: ?(.*)$/gm)]
    .map(([, data = '']) => parse(data))
    .filter((data) => data !== undefined)

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Of a response there is `error` from its beginning, as null. */
const isFailure = (object: unknown): boolean =>
  isObject(object) && (object.error != null || object.type === 'response.failed')

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null

function textOf(object: unknown): string {
  if (!isObject(object)) return ''
  if (Array.isArray(object.content)) return object.content.map(({ text = '' }) => text).join('')
  if (object.object === 'response') return outputOf(object.output)
  if (object.type === 'response.output_text.delta') return String(object.delta)
  if (typeof object.token === 'string') return object.token
  if (Array.isArray(object.results)) return object.results.map(({ text = '' }) => text).join('')
  if (isObject(object.delta)) return typeof object.delta.text === 'string' ? object.delta.text : ''
  if (!Array.isArray(object.choices)) return ''
  const [choice] = object.choices
  const holder = choice?.delta ?? choice?.message
  return typeof holder?.content === 'string' ? holder.content : ''
}

/** The text among the items of a response. */
function outputOf(items: unknown): string {
  if (!Array.isArray(items)) return ''
  const messages = items.filter(({ type }) => type === 'message')
  return messages.map(textOf).join('')
}
