import { failure, type Result, success } from '../contract/failure.ts'
import { isPlainObject, kindOf } from '../contract/json-value.ts'
import type { ImagePart, Role, TextPart, Turn } from '../contract/prompt.ts'

/** What callers write, and the role that it is. */
export const ROLES: Readonly<Record<string, Role>> = {
  system: 'system',
  developer: 'system',
  user: 'user',
  assistant: 'assistant',
  tool: 'tool',
  function: 'tool',
}

/** Reads one message. A message without role or content would end a KoboldCPP handler without a word. */
export function readTurn(value: unknown, path: string): Result<Turn> {
  if (!isPlainObject(value)) {
    return invalid(`\`${path}\` must be a message with role and content; it is ${kindOf(value)}.`)
  }
  const { role, content, name, tool_call_id, tool_calls } = value
  const known = typeof role === 'string' && Object.hasOwn(ROLES, role) ? ROLES[role] : undefined
  if (known === undefined) {
    return invalid(`\`${path}.role\` must be one of system, developer, user, assistant, tool.`)
  }
  const calls = Array.isArray(tool_calls) && tool_calls.length > 0 ? tool_calls : undefined
  const read = readContent(content, { path: `${path}.content`, nullable: calls !== undefined })
  if (!read.ok) return read
  return success({
    role: known,
    content: read.value,
    ...(typeof name === 'string' ? { name } : {}),
    ...(typeof tool_call_id === 'string' ? { tool_call_id } : {}),
    ...(calls ? { tool_calls: calls } : {}),
  })
}

function readContent(
  content: unknown,
  { path, nullable }: { path: string; nullable: boolean },
): Result<Turn['content']> {
  if (typeof content === 'string') return success(content)
  if (content == null && nullable) return success(null)
  if (!Array.isArray(content)) {
    return invalid(`\`${path}\` must be a string or a list of parts; it is ${kindOf(content)}.`)
  }
  return readContentParts(content, path)
}

/** Text parts are joined by newlines; where there are images the parts are kept. */
export function readContentParts(list: unknown[], path: string): Result<string | (TextPart | ImagePart)[]> {
  const parts: (TextPart | ImagePart)[] = []
  for (const [index, item] of list.entries()) {
    const part = readPart(item, `${path}[${index}]`)
    if (!part.ok) return part
    parts.push(part.value)
  }
  if (parts.some((part) => part.type === 'image_url')) return success(parts)
  return success(parts.map((part) => (part.type === 'text' ? part.text : '')).join('\n'))
}

function readPart(value: unknown, path: string): Result<TextPart | ImagePart> {
  if (typeof value === 'string') return success({ type: 'text', text: value })
  if (!isPlainObject(value)) {
    return invalid(`\`${path}\` must be a content part; it is ${kindOf(value)}.`)
  }
  const { type, text, image_url } = value
  if (type === 'text') {
    return typeof text === 'string'
      ? success({ type: 'text', text })
      : invalid(`\`${path}.text\` must be a string; it is ${kindOf(text)}.`)
  }
  if (type === 'image_url') return readImage(image_url, `${path}.image_url`)
  return invalid(`\`${path}.type\` must be text or image_url.`)
}

/** Only images that come with the event: an address would let a caller choose whom the backend calls. */
function readImage(value: unknown, path: string): Result<ImagePart> {
  const image = (typeof value === 'string' ? { url: value } : value) as
    | Record<string, unknown>
    | null
    | undefined
  const url = image?.url
  if (typeof url !== 'string' || !url.startsWith('data:image/')) {
    return invalid(`\`${path}.url\` must be a data:image/… URL; addresses are not fetched.`)
  }
  const detail = image?.detail
  return success({
    type: 'image_url',
    image_url: { url, ...(typeof detail === 'string' ? { detail } : {}) },
  })
}

const invalid = (details: string) => failure({ code: 'invalid_input_format', details })
