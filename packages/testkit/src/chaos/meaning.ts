import {
  type ChaosToolCall,
  type ChaosTruth,
  type ChaosUsage,
  type Choice,
  MAX_TOKENS,
  type PlanContext,
} from './chaos-plan.ts'

/** What a server means to say, and the form that it gives to it. */
export interface Meaning {
  readonly text: string
  readonly reasoning: string
  /** Where the reasoning stands. `unclosed`: thoughts in the text that never end. */
  readonly thoughts: 'none' | 'reasoning_content' | 'reasoning' | 'both' | 'parts' | 'think' | 'unclosed'
  readonly toolCalls: readonly ChaosToolCall[]
  readonly usage: ChaosUsage | undefined
  /** The server's word for the end, and the names that it may get. */
  readonly reason: string
  readonly finish: readonly string[]
  /** What the text becomes on its way: thoughts in tags before it. */
  readonly written: string
}

// Text that readers of streams have taken for something else.
const WORDS = [
  ...[
    'Hello',
    ' you',
    ', ',
    'world',
    '.',
    ' ',
    '\n',
    '\n\n',
    '\r\n',
    '\t',
    '"',
    '\\',
    '{"a":',
    '}',
    '[DONE]',
  ],
  ...['data: [DONE]', '\ndata: {"choices":[]}\n\n', '\nerror: no', '\n: ping', 'event: error\n', '\u2028'],
  ...[
    'Grüße',
    ' 漢字',
    '🎟️',
    '👩‍👩‍👧',
    'e\u0301',
    'ﷺ',
    '\u0000',
    '\uFEFF',
    '\u001b[31m',
    '<',
    '</think>',
    '<think>',
  ],
  ...[
    '{"error":{"message":"x"}}',
    '<html>',
    'null',
    '0',
    '```json\n',
    ' done',
    'HTTP/1.1 100 Continue\r\n\r\n',
  ],
]
/** How models write their thoughts into the text. */
export const THOUGHT_TAGS = [
  ['<think>', '</think>'],
  ['<think>', '</think>'],
  ['[THINK]', '[/THINK]'],
  ['◁think▷', '◁/think▷'],
  ['<|START_THINKING|>', '<|END_THINKING|>'],
  ['<|channel|>analysis<|message|>', '<|end|><|start|>assistant<|channel|>final<|message|>'],
] as const

const BEGINNINGS = [
  'A',
  ' b',
  '\n',
  '<th',
  '<thinking>',
  '<think',
  '</think>',
  '[THINK',
  '{',
  'data:',
  '0',
  '漢',
  '🎟️',
  '\uFEFFx',
]

export function planMeaning({ choice, target }: PlanContext): Meaning {
  const { backend, endpoint } = target
  const hasTools = endpoint === 'chat' && choice.happens(0.15)
  const toolCalls = hasTools ? planToolCalls(choice) : []
  const withText = hasTools ? choice.happens(0.3) : true
  const thoughts = choice.happens(0.7)
    ? 'none'
    : choice.way(
        'thoughts',
        endpoint === 'chat'
          ? (['reasoning_content', 'reasoning', 'both', 'parts', 'think', 'think', 'unclosed'] as const)
          : (['think', 'unclosed'] as const),
      )
  const reasoning = thoughts === 'none' ? '' : planReasoning(choice)
  const text = thoughts === 'unclosed' || !withText ? '' : planText(choice)
  const usage = choice.happens(0.6)
    ? { prompt_tokens: choice.between(1, 400), completion_tokens: choice.between(1, MAX_TOKENS - 1) }
    : undefined
  const ending = planEnding(choice, { hasTools, isUnclosed: thoughts === 'unclosed' })
  const counted =
    ending.reason === 'length' && usage && choice.happens(0.5)
      ? { ...usage, completion_tokens: MAX_TOKENS }
      : usage
  const finish = backend === 'kobold' ? koboldFinish(ending, counted) : ending.finish
  const before = choice.pick(['', '', '\n', ' '])
  const [open, close] = choice.pick(THOUGHT_TAGS)
  const written =
    thoughts === 'think'
      ? `${before}${open}${choice.pick(['', '\n'])}${reasoning}${choice.pick(['', '\n'])}${close}${choice.pick(['', '\n\n'])}${text}`
      : thoughts === 'unclosed'
        ? `${before}${open}${reasoning}`
        : text
  return { text, reasoning, thoughts, toolCalls, usage: counted, written, reason: ending.reason, finish }
}

function planText(choice: Choice): string {
  const count = choice.pick([0, 1, 2, 3, 5, 8, 13, 30])
  const words = Array.from({ length: count }, () => choice.pick(WORDS))
  const text = choice.pick(BEGINNINGS) + words.join('')
  // Thoughts stand in tags at the very beginning, and only there.
  if (/^[\s\uFEFF]*<think>/.test(text)) return `So ${text}`
  return /\S/.test(text.replaceAll('\uFEFF', '')) ? text : `${text}word`
}

/** Without the tag that would end it. */
function planReasoning(choice: Choice): string {
  const count = choice.between(1, 8)
  let text = 'Hm'
  for (let word = 0; word < count; word++) {
    text += choice.pick(WORDS.filter((one) => !one.includes('think>')))
  }
  return text
}

function planEnding(
  choice: Choice,
  { hasTools, isUnclosed }: { hasTools: boolean; isUnclosed: boolean },
): Pick<Meaning, 'reason' | 'finish'> {
  if (hasTools) {
    return { reason: choice.way('reason', ['tool_calls', 'stop', 'function_call']), finish: ['tool_calls'] }
  }
  if (isUnclosed) return { reason: choice.way('reason', ['length', 'stop']), finish: ['length', 'stop'] }
  const reason = choice.pick(['stop', 'stop', 'stop', 'stop', 'length', 'content_filter', 'eos', 'end_turn'])
  const finish = reason === 'length' || reason === 'content_filter' ? [reason] : ['stop']
  if (reason !== 'stop') choice.note(`reason: ${reason}`)
  return { reason, finish }
}

/** KoboldCPP says `length` for a stop string and an abort, too: only a count that reached the limit tells. */
function koboldFinish(
  { reason, finish }: Pick<Meaning, 'reason' | 'finish'>,
  usage: ChaosUsage | undefined,
): readonly string[] {
  if (reason !== 'length' || finish.length > 1) return finish
  if (!usage) return ['length', 'stop']
  return usage.completion_tokens >= MAX_TOKENS ? ['length'] : ['stop']
}

const ARGUMENTS = [
  '{"city":"Bern"}',
  '{}',
  '{"q":"a \\"b\\"","n":[1,2]}',
  '{"text":"漢 🎟️\\n"}',
  '',
  '{ "a": { "b": null } }',
]
const NAMES = ['look_up', 'send', 'get_weather']

function planToolCalls(choice: Choice): ChaosToolCall[] {
  const count = choice.pick([1, 1, 2, 3])
  choice.note(`${count} tool calls`)
  // Names of their own: two calls of one function can only be told apart where a server says so.
  return NAMES.slice(0, count).map((name) => ({ name, arguments: choice.pick(ARGUMENTS) }))
}

/** A delta of a chat, or the field of another endpoint. */
export interface Piece {
  readonly fields: object
  /** Whether it holds text, thoughts or a call: a role alone is nothing yet. */
  readonly hasContent: boolean
}

/** The pieces in which a server writes what it means. */
export function piecesOf({ choice, target }: PlanContext, meaning: Meaning): Piece[] {
  const { endpoint, backend } = target
  const texts = cutText(choice, meaning.written)
  if (endpoint === 'text') return texts.map((text) => ({ fields: { text }, hasContent: true }))
  if (endpoint === 'native') return texts.map((token) => ({ fields: { token }, hasContent: true }))
  const role = { role: 'assistant' }
  const start: Piece[] = choice.happens(0.6)
    ? [
        {
          fields: choice.pick([{ ...role, content: '' }, { ...role, content: null }, role]),
          hasContent: false,
        },
      ]
    : []
  // KoboldCPP writes the role into each.
  const always = backend === 'kobold' || choice.happens(0.2) ? role : {}
  const form = choice.happens(0.85) ? 'text' : choice.way('content', ['parts', 'one part', 'bare texts'])
  const content = texts.map((text) => ({
    fields: { ...always, content: contentOf(form, text) },
    hasContent: true,
  }))
  return [...start, ...thoughtPieces(choice, meaning), ...content, ...toolPieces(choice, meaning.toolCalls)]
}

function contentOf(form: 'text' | 'parts' | 'one part' | 'bare texts', text: string): unknown {
  if (form === 'text') return text
  if (form === 'bare texts') return [text]
  const part = { type: 'text', text }
  return form === 'parts' ? [part, { type: 'reference', reference_ids: [1] }] : part
}

function thoughtPieces(choice: Choice, { thoughts, reasoning }: Meaning): Piece[] {
  if (thoughts === 'none' || thoughts === 'think' || thoughts === 'unclosed') return []
  return cutText(choice, reasoning).map((text) => ({
    fields: thoughtFields(thoughts, text),
    hasContent: true,
  }))
}

export function thoughtFields(
  thoughts: 'reasoning_content' | 'reasoning' | 'both' | 'parts',
  text: string,
): { readonly [name: string]: unknown } {
  if (thoughts === 'parts') return { content: [{ type: 'thinking', thinking: [{ type: 'text', text }] }] }
  if (thoughts === 'both') return { reasoning: text, reasoning_content: text }
  return { [thoughts]: text }
}

/** Between characters, never within one: servers send JSON. Empty pieces are none. */
function cutText(choice: Choice, text: string): string[] {
  const characters = [...text]
  const size = choice.pick([1, 2, 4, 9, 1_000])
  const pieces: string[] = []
  while (characters.length > 0) pieces.push(characters.splice(0, choice.between(1, size)).join(''))
  return pieces
}

const STYLES = [
  ...(['standard', 'no index', 'all fields', 'null fields', 'empty fields', 'index from 1'] as const),
  ...([
    'ids only',
    'counting',
    'cumulative',
    'cumulative fields',
    'arguments once more',
    'interleaved',
    'whole at index 0',
    'whole with ids',
    'whole with names',
  ] as const),
  ...(['object arguments', 'all at once', 'whole twice'] as const),
]

/** Calls of tools, in the many ways in which servers write them. Each can be told apart by what it says. */
function toolPieces(choice: Choice, calls: readonly ChaosToolCall[]): Piece[] {
  if (calls.length === 0) return []
  const style = choice.way('tool calls', STYLES)
  const inPieces = calls.map((call, index) => {
    const id = `call_${index}_x`
    const { name } = call
    const type = 'function'
    const given = { name, arguments: call.arguments }
    if (style === 'whole at index 0') return [{ index: 0, id, type, function: given }]
    if (style === 'whole with ids') return [{ id, type, function: given }]
    if (style === 'whole with names') return [{ function: given }]
    if (style === 'all at once') return [{ index, id, type, function: given }]
    if (style === 'whole twice') return [0, 1].map(() => ({ index, id, type, function: given }))
    if (style === 'object arguments') {
      return [
        {
          index,
          id,
          type,
          function: call.arguments === '' ? { name } : { name, arguments: JSON.parse(call.arguments) },
        },
      ]
    }
    const at = style === 'index from 1' ? index + 1 : index
    const rest = cutText(choice, call.arguments)
    const isFirstWhole = choice.happens(0.3)
    const first = isFirstWhole ? (rest.shift() ?? '') : ''
    const start = { id, type, function: { name, arguments: first } }
    if (style === 'arguments once more' && rest.length > 0) rest.push(call.arguments)
    const more = rest.map((text, piece) => {
      const soFar = first + rest.slice(0, piece + 1).join('')
      const args = { arguments: style.startsWith('cumulative') ? soFar : text }
      if (style === 'no index') return { function: args }
      if (style === 'all fields' || style === 'cumulative fields')
        return { index: at, id, type, function: { name, ...args } }
      if (style === 'null fields') return { index: at, id: null, function: { name: null, ...args } }
      if (style === 'empty fields') return { index: at, id: '', function: { name: '', ...args } }
      if (style === 'ids only') return { id, function: args }
      if (style === 'counting') return { index: 100 * index + piece + 1, function: args }
      return { index: at, function: args }
    })
    const isIndexed = style !== 'no index' && style !== 'ids only'
    const startAt = style === 'counting' ? 100 * index : at
    return [isIndexed ? { index: startAt, ...start } : start, ...more]
  })
  const groups =
    style === 'all at once' ? [inPieces.flat()] : ordered(choice, style, inPieces).map((one) => [one])
  return groups.map((tool_calls) => ({
    fields: choice.happens(0.3) ? { content: null, tool_calls } : { tool_calls },
    hasContent: true,
  }))
}

/** Calls are written one after the other, except by who writes several at a time. */
function ordered(choice: Choice, style: string, calls: object[][]): object[] {
  if (style !== 'interleaved') return calls.flat()
  // They begin in their order.
  const all = calls.flatMap((pieces) => pieces.slice(0, 1))
  const left = calls.map((pieces) => pieces.slice(1))
  while (left.some((pieces) => pieces.length > 0)) {
    const piece = choice.pick(left.filter((pieces) => pieces.length > 0)).shift()
    if (piece) all.push(piece)
  }
  return all
}

/** The truth of a whole answer. */
export const truthOf = ({ text, reasoning, toolCalls, finish }: Meaning): ChaosTruth => ({
  ends: 'answer',
  text,
  reasoning,
  toolCalls,
  usage: null,
  finish,
  codes: [],
  mostCalls: 1,
})
