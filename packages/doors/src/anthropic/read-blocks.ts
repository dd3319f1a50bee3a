import type { ImagePart, TextPart } from '@ai-ticket/core'
import { type Fields, isRecord, nameAt, recordsAt, refuse, textAt } from './read-fields.ts'

/** Text and images of a turn, in their order. */
export type Parts = readonly (TextPart | ImagePart)[]

/** A call of a tool, as a turn of the event holds it. */
interface Call {
  readonly id: string
  readonly type: 'function'
  readonly function: { readonly name: string; readonly arguments: string }
}

interface Result {
  readonly id: string
  readonly text: string
  readonly images: readonly ImagePart[]
}

/** What the blocks of one message come to. */
export interface ReadBlocks {
  readonly parts: Parts
  readonly calls: readonly Call[]
  readonly results: readonly Result[]
}

/**
 * Blocks that a backend has nothing to do with: thoughts, which models want only for the answer they stand before, and
 * calls of tools that run at Anthropic.
 */
const LEFT_OUT =
  /^(?:(?:redacted_)?thinking|container_upload|server_tool_use|mcp_tool_use|(?!tool_result$)\w+_tool_result)$/

/** The content of a message: a string, or a list of blocks. Throws a `RequestProblem` that names the field. */
export function readContent(content: unknown, path: string): ReadBlocks {
  if (typeof content === 'string') return { parts: [textPart(content)], calls: [], results: [] }
  if (!Array.isArray(content)) throw refuse(path, 'must be a string or a list of blocks.')
  const parts: (TextPart | ImagePart)[] = []
  const calls: Call[] = []
  const results: Result[] = []
  for (const [index, block] of recordsAt(content, path).entries()) {
    const at = `${path}[${index}]`
    if (block.type === 'tool_use') calls.push(readCall(block, at))
    else if (block.type === 'tool_result') results.push(readResult(block, at))
    else if (!LEFT_OUT.test(String(block.type))) parts.push(...readParts(block, at))
  }
  return { parts, calls, results }
}

/** The text of blocks, each on lines of its own; images have none. */
export const textOf = (parts: Parts): string =>
  parts.flatMap((part) => (part.type === 'text' ? part.text : [])).join('\n')

const imagesOf = (parts: Parts): ImagePart[] =>
  parts.flatMap((part) => (part.type === 'image_url' ? part : []))

const textPart = (text: string): TextPart => ({ type: 'text', text })

function readCall({ id, name, input }: Fields, path: string): Call {
  if (input != null && !isRecord(input)) throw refuse(`${path}.input`, 'must be an object.')
  return {
    id: nameAt(id, `${path}.id`),
    type: 'function',
    function: { name: nameAt(name, `${path}.name`), arguments: JSON.stringify(input ?? {}) },
  }
}

function readResult({ tool_use_id, content, is_error }: Fields, path: string): Result {
  const { parts } = content == null ? { parts: [] } : readContent(content, `${path}.content`)
  const text = textOf(parts)
  const images = imagesOf(parts)
  // A tool's turn takes no image: those follow in the user's.
  const told = text === '' && images.length > 0 ? 'The result is the image that follows.' : text
  return {
    id: nameAt(tool_use_id, `${path}.tool_use_id`),
    text: is_error === true ? `Error: ${told}` : told,
    images,
  }
}

/** Blocks with something to read or to see. */
function readParts(block: Fields, path: string): Parts {
  switch (block.type) {
    case 'text':
      return [textPart(textAt(block.text, `${path}.text`))]
    case 'image':
      return [readImage(block.source, `${path}.source`)]
    case 'document':
      return readDocument(block, path)
    case 'search_result':
      return readSearchResult(block, path)
    case 'compaction':
      // The service's summary of the turns before it.
      return typeof block.content === 'string' ? [textPart(block.content)] : []
    case 'tool_reference':
      return [textPart(`The tool ${nameAt(block.tool_name, `${path}.tool_name`)} can be called.`)]
    default:
      throw refuse(
        `${path}.type`,
        'must be text, image, document, search_result, tool_use, tool_result or thinking.',
      )
  }
}

const DATA_URL = /^data:image\/[\w.+-]{1,100};base64,/

const MEDIA_TYPE = /^image\/[\w.+-]{1,100}$/

/** Only images that come with the request: an address would let a caller choose whom the backend calls. */
function readImage(source: unknown, path: string): ImagePart {
  const { type, media_type, data, url } = sourceAt(source, path)
  if (type === 'url' && typeof url === 'string' && DATA_URL.test(url)) {
    return { type: 'image_url', image_url: { url } }
  }
  if (type !== 'base64') throw refuse(`${path}.type`, 'must be base64: addresses and files are not fetched.')
  if (typeof media_type !== 'string' || !MEDIA_TYPE.test(media_type)) {
    throw refuse(`${path}.media_type`, 'must be the media type of an image.')
  }
  return {
    type: 'image_url',
    image_url: { url: `data:${media_type};base64,${nameAt(data, `${path}.data`)}` },
  }
}

/** A document that is text. Its title and what is said of it stand before it. */
function readDocument({ source, title, context }: Fields, path: string): Parts {
  const at = `${path}.source`
  const { type, data, content } = sourceAt(source, at)
  const heads = [title, context].flatMap((head) => (typeof head === 'string' && head !== '' ? head : []))
  if (type === 'text') return [textPart([...heads, textAt(data, `${at}.data`)].join('\n'))]
  if (type !== 'content') {
    throw refuse(
      `${at}.type`,
      'must be text or content: local models read no PDF, and nothing is fetched. Send its text.',
    )
  }
  return [...heads.map(textPart), ...readContent(content, `${at}.content`).parts]
}

function readSearchResult({ title, source, content }: Fields, path: string): Parts {
  const heads = [title, source].flatMap((head) => (typeof head === 'string' && head !== '' ? head : []))
  return [textPart([...heads, textOf(readContent(content, `${path}.content`).parts)].join('\n'))]
}

function sourceAt(source: unknown, path: string): Fields {
  if (!isRecord(source)) throw refuse(path, 'must be an object.')
  return source
}
