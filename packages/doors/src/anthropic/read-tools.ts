import { type Fields, isRecord, nameAt, recordsAt, refuse } from './read-fields.ts'

/** Parameters of the event that say which tools the model may call. */
interface ToolParameters {
  readonly tools?: readonly object[]
  readonly tool_choice?: string | object
  readonly parallel_tool_calls?: false
}

/**
 * The tools of a request in OpenAI's shape. Those with a `type` of their own run at Anthropic (web search and so on) and
 * are left out. Throws a `RequestProblem` that names the field.
 */
export function readTools({ tools, tool_choice }: Fields): ToolParameters {
  const own = recordsAt(tools, 'tools').flatMap((tool, index) => {
    const isOwn = tool.type == null || tool.type === 'custom'
    return isOwn ? readTool(tool, `tools[${index}]`) : []
  })
  if (own.length === 0) return {}
  if (tool_choice != null && !isRecord(tool_choice)) throw refuse('tool_choice', 'must be an object.')
  const isOneByOne = tool_choice?.disable_parallel_tool_use === true
  return {
    tools: own,
    ...(tool_choice && { tool_choice: readChoice(tool_choice, own) }),
    ...(isOneByOne && { parallel_tool_calls: false }),
  }
}

interface Tool {
  readonly type: 'function'
  readonly function: { readonly name: string; readonly description?: string; readonly parameters: Fields }
}

function readTool({ name, description, input_schema }: Fields, path: string): Tool {
  if (!isRecord(input_schema)) throw refuse(`${path}.input_schema`, 'must be a JSON Schema.')
  return {
    type: 'function',
    function: {
      name: nameAt(name, `${path}.name`),
      ...(typeof description === 'string' && { description }),
      parameters: input_schema,
    },
  }
}

const CHOICES: ReadonlyMap<unknown, string> = new Map([
  ['auto', 'auto'],
  ['any', 'required'],
  ['none', 'none'],
])

function readChoice({ type, name }: Fields, tools: readonly Tool[]): string | object {
  const choice = CHOICES.get(type)
  if (choice !== undefined) return choice
  if (type !== 'tool') throw refuse('tool_choice.type', 'must be auto, any, tool or none.')
  if (!tools.some((tool) => tool.function.name === name)) {
    throw refuse('tool_choice.name', 'must be the name of one of the `tools`.')
  }
  return { type: 'function', function: { name } }
}
