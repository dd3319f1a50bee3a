type Body = Readonly<Record<string, unknown>>

/** A turn as chat completions know it. */
export interface Turn {
  readonly role: string
  readonly content?: string | readonly Body[] | null
  readonly tool_calls?: readonly Body[]
  readonly tool_call_id?: string
}

/** A turn, or the name of an item of an earlier response that stands for one. */
export type InputItem =
  | { readonly type: 'turn'; readonly turn: Turn }
  | { readonly type: 'reference'; readonly id: string; readonly path: string }

type ReadInput =
  | { readonly ok: true; readonly items: readonly InputItem[] }
  | { readonly ok: false; readonly details: string }

/** Throwing ends the reading of nested parts; nobody but `readInput` sees it. */
class Unreadable extends Error {}

/** The `input` of a request: a text, or a list of items. Thoughts of the model are dropped: backends do not take them. */
export function readInput(input: unknown): ReadInput {
  if (typeof input === 'string') return { ok: true, items: [turnItem({ role: 'user', content: input })] }
  if (!Array.isArray(input)) return { ok: false, details: '`input` must be a text or a list of items.' }
  try {
    return { ok: true, items: input.flatMap((item, index) => readItem(item, `input[${index}]`)) }
  } catch (error) {
    if (error instanceof Unreadable) return { ok: false, details: error.message }
    throw error
  }
}

/** What the service or the client keeps for itself: no model reads it. A conversation may have begun at another server. */
const LEFT_OUT =
  /^(?:reasoning|compaction|additional_tools|mcp_\w+|(?:web_search|file_search|image_generation|code_interpreter|tool_search)_\w+)$/

function readItem(item: unknown, path: string): readonly InputItem[] {
  if (!isRecord(item)) throw new Unreadable(`\`${path}\` must be an object.`)
  // A reference may come without its type.
  const type = item.type ?? (typeof item.role === 'string' ? 'message' : 'item_reference')
  if (LEFT_OUT.test(`${type}`)) return []
  switch (type) {
    case 'message':
      return [turnItem(readMessage(item, path))]
    case 'item_reference':
      return [{ type: 'reference', id: textAt(item, 'id', path), path }]
    case 'function_call':
      return [turnItem(readCall(item, path))]
    case 'custom_tool_call':
      return [turnItem(readCall({ ...item, arguments: { input: item.input } }, path))]
    case 'local_shell_call':
    case 'shell_call':
    case 'apply_patch_call': {
      const name = `${type}`.slice(0, -'_call'.length)
      return [turnItem(readCall({ ...item, name, arguments: item.action ?? item.operation }, path))]
    }
    case 'function_call_output':
    case 'custom_tool_call_output':
    case 'local_shell_call_output':
    case 'shell_call_output':
    case 'apply_patch_call_output':
      return [turnItem(readOutput(item, path))]
    default:
      throw new Unreadable(
        `\`${path}.type\` is of no kind that a local model takes. Send messages, function calls and their outputs.`,
      )
  }
}

function readMessage(item: Body, path: string): Turn {
  const role = textAt(item, 'role', path)
  return {
    role: role === 'developer' ? 'system' : role,
    content: readContent(item.content ?? (role === 'assistant' ? '' : item.content), `${path}.content`),
  }
}

/** Some clients send the arguments as the object that they have parsed. */
function readCall(item: Body, path: string): Turn {
  const given = item.arguments ?? {}
  const call = {
    id: textAt(item, 'call_id', path),
    type: 'function',
    function: {
      name: textAt(item, 'name', path),
      arguments: typeof given === 'string' ? given : JSON.stringify(given),
    },
  }
  return { role: 'assistant', content: null, tool_calls: [call] }
}

/** A tool that gave nothing back has no output. That of a shell is a list of results. */
function readOutput(item: Body, path: string): Turn {
  const { type, output } = item
  const isResult = type === 'shell_call_output' && typeof output !== 'string'
  const content = isResult ? JSON.stringify(output ?? '') : readContent(output ?? '', `${path}.output`)
  return { role: 'tool', tool_call_id: textAt(item, 'call_id', path), content }
}

/** Parts become one text where they are nothing but text: not every chat template takes a list. */
function readContent(content: unknown, path: string): string | readonly Body[] {
  if (typeof content === 'string') return content
  if (!Array.isArray(content)) throw new Unreadable(`\`${path}\` must be a text or a list of parts.`)
  const parts = content.map((part, index) => readPart(part, `${path}[${index}]`))
  return parts.every((part) => part.type === 'text') ? parts.map(({ text }) => text).join('\n') : parts
}

function readPart(part: unknown, path: string): Body {
  if (!isRecord(part)) throw new Unreadable(`\`${path}\` must be an object.`)
  switch (part.type) {
    case 'input_text':
    case 'output_text':
    case 'text':
      return { type: 'text', text: textAt(part, 'text', path) }
    case 'refusal':
      return { type: 'text', text: textAt(part, 'refusal', path) }
    case 'image_url':
    case 'input_image': {
      // As chat completions write it: an object with the address in it.
      const { url, detail } = isRecord(part.image_url)
        ? part.image_url
        : { url: part.image_url, detail: part.detail }
      if (typeof url !== 'string') {
        throw new Unreadable(
          `\`${path}.image_url\` must be a data: URL with the image: files are not stored here.`,
        )
      }
      return { type: 'image_url', image_url: { url, ...(detail != null && { detail }) } }
    }
    default:
      throw new Unreadable(`\`${path}.type\` must be input_text, output_text, refusal or input_image.`)
  }
}

/**
 * The turns of a conversation. Calls that follow one another, or follow the words of the model, are one turn of it, as chat
 * templates expect.
 */
export function joinCalls(turns: readonly Turn[]): readonly Turn[] {
  const joined: Turn[] = []
  for (const turn of turns) {
    const last = joined.at(-1)
    if (last?.role === 'assistant' && turn.tool_calls !== undefined && turn.content == null) {
      joined[joined.length - 1] = { ...last, tool_calls: [...(last.tool_calls ?? []), ...turn.tool_calls] }
    } else joined.push(turn)
  }
  return joined
}

function textAt(item: Body, name: string, path: string): string {
  const value = item[name]
  if (typeof value !== 'string') throw new Unreadable(`\`${path}.${name}\` must be a text.`)
  return value
}

const turnItem = (turn: Turn): InputItem => ({ type: 'turn', turn })

const isRecord = (value: unknown): value is Body =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
