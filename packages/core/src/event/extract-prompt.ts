import { failure, type Result, success } from '../contract/failure.ts'
import {
  isWithinDepth,
  jsonExcess,
  kindOf,
  LongNumber,
  MAX_DEPTH,
  parseJson,
} from '../contract/json-value.ts'
import type { Parameters, Prompt, Turn } from '../contract/prompt.ts'
import { turnText } from '../contract/prompt.ts'
import { readParameters } from './parameters.ts'
import { readContentParts, readTurn } from './read-turn.ts'

/**
 * Finds the prompt in the `content` of an event. `parameters` of the event win over those inside the content.
 * `takesAnyTurn`: text of another role than the user's will do, and so will an image.
 * Failures: `invalid_input_format` (naming the path), `prompt_extraction_failed` (no user text).
 */
export function extractPrompt(
  content: string | object,
  parameters: Parameters = {},
  takesAnyTurn = false,
): Result<Prompt> {
  const read =
    typeof content === 'string' ? readText(content) : readJson(content, () => writeContent(content))
  if (!read.ok) return read
  if (!read.value.turns.some(isUserText) && !(takesAnyTurn && read.value.turns.some(saysSomething))) {
    return failure({
      code: 'prompt_extraction_failed',
      details:
        'The content holds no user text. Put the prompt into `content`, `content.prompt` or a user message.',
    })
  }
  return success({
    turns: read.value.turns,
    parameters: joinParameters(read.value.parameters, parameters),
  })
}

/** A program may have its long numbers as `bigint`, which JSON does not know. Undefined: it has no JSON at all. */
function writeContent(content: object): string | undefined {
  try {
    return JSON.stringify(content)
  } catch {
    return writeBigInts(content)
  }
}

function writeBigInts(content: object): string | undefined {
  try {
    return JSON.stringify(content, (_, value: unknown) =>
      typeof value === 'bigint' ? new LongNumber(String(value)).toJSON() : value,
    )
  } catch {
    return undefined
  }
}

/** What stands in the content and, before it, what the event says. */
function joinParameters(inContent: Parameters, ofEvent: Parameters): Parameters {
  const { tool_choice, ...joined } = { ...inContent, ...ofEvent }
  // Without tools both say the same, and servers refuse a choice among none.
  const isIdle = joined.tools === undefined && (tool_choice === 'auto' || tool_choice === 'none')
  return tool_choice === undefined || isIdle ? joined : { ...joined, tool_choice }
}

interface Content {
  turns: Turn[]
  parameters: Parameters
}

const oneTurn = (text: string): Result<Content> =>
  success({ turns: [{ role: 'user', content: text }], parameters: {} })

/** The object or list that a text holds, bare or in a code fence. */
export const jsonIn = (text: string): unknown => readAsJson(unfence(text))

function readText(text: string): Result<Content> {
  const json = unfence(text)
  const excess = looksLikeJson(json) ? jsonExcess(json) : undefined
  if (excess !== undefined) return invalid(`\`content\` is a text of JSON that ${excess}.`)
  const value = readAsJson(json)
  if (typeof value === 'string' && json === text.trim()) return oneTurn(value)
  if (typeof value === 'object' && value !== null)
    return readJson(value, () => (json === text.trim() ? text : json))
  return oneTurn(text)
}

/** A code fence around the whole text, with or without the word `json`, is the wrapping of its content. */
const FENCE_START = /^```[a-zA-Z0-9]*[ \t]*\r?\n/

function unfence(text: string): string {
  const trimmed = text.trim()
  const start = FENCE_START.exec(trimmed)?.[0].length
  if (start === undefined || !trimmed.endsWith('```') || trimmed.length < start + 3) return trimmed
  return trimmed.slice(start, -3).trim()
}

const looksLikeJson = (text: string): boolean => text[0] === '{' || text[0] === '[' || text[0] === '"'

function readAsJson(text: string): unknown {
  if (!looksLikeJson(text)) return undefined
  try {
    return parseJson(text)
  } catch {
    return undefined // a text that only begins like JSON is a prompt
  }
}

function readJson(value: object, asWritten: () => string | undefined): Result<Content> {
  if (!isWithinDepth(value, MAX_DEPTH))
    return invalid(`\`content\` is nested deeper than ${MAX_DEPTH} levels.`)
  if (Array.isArray(value)) return readList(value, 'content')
  if ('messages' in value && value.messages != null) {
    if (!Array.isArray(value.messages)) return wrongType('content.messages', 'a list', value.messages)
    return withParameters(readList(value.messages, 'content.messages'), value)
  }
  if ('prompt' in value && value.prompt != null) {
    if (typeof value.prompt !== 'string') return wrongType('content.prompt', 'a string', value.prompt)
    return withParameters(oneTurn(value.prompt), value)
  }
  const text = asWritten()
  return text === undefined ? invalid('`content` cannot be written as JSON.') : oneTurn(text)
}

/** A list holds messages, or strings (one user turn each), or the parts of one user turn; never a mixture. */
function readList(list: unknown[], path: string): Result<Content> {
  const strings = list.filter((item) => typeof item === 'string')
  if (strings.length === list.length) {
    return success({ turns: strings.map((content): Turn => ({ role: 'user', content })), parameters: {} })
  }
  if (strings.length > 0) return invalid(`\`${path}\` mixes strings with messages; send one kind.`)
  if (list.every(isPart)) return readParts(list, path)
  const turns: Turn[] = []
  for (const [index, item] of list.entries()) {
    const turn = readTurn(item, `${path}[${index}]`)
    if (!turn.ok) return turn
    turns.push(turn.value)
  }
  return success({ turns, parameters: {} })
}

const isPart = (item: unknown) =>
  typeof item === 'object' && item !== null && 'type' in item && !('role' in item)

function readParts(list: unknown[], path: string): Result<Content> {
  const content = readContentParts(list, path)
  return content.ok ? success({ turns: [{ role: 'user', content: content.value }], parameters: {} }) : content
}

function withParameters(content: Result<Content>, value: object): Result<Content> {
  if (!content.ok) return content
  const parameters = readParameters(value, 'content')
  return parameters.ok ? success({ ...content.value, parameters: parameters.value }) : parameters
}

const isUserText = (turn: Turn): boolean => turn.role === 'user' && turnText(turn).trim() !== ''

/** Content that is still a list holds an image. */
const saysSomething = (turn: Turn): boolean => Array.isArray(turn.content) || turnText(turn).trim() !== ''

const invalid = (details: string) => failure({ code: 'invalid_input_format', details })
const wrongType = (path: string, expected: string, value: unknown) =>
  invalid(`\`${path}\` must be ${expected}; it is ${kindOf(value)}.`)
