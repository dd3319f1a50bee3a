import {
  type ChaosReply,
  type ChaosTruth,
  type ChaosUsage,
  type Choice,
  type Exchange,
  MAX_TOKENS,
  type PlanContext,
} from './chaos-plan.ts'
import { type Meaning, type Piece, piecesOf, truthOf } from './meaning.ts'
import { planErrorObject } from './refusals.ts'
import { cutBytes, headPause, planTransport, type Written } from './transport.ts'

/** One event of a stream: its lines, and what it decides. */
interface Event {
  readonly afterMs: number
  readonly lines: readonly string[]
  /**
   * `whole`: from here on nothing can be missing. `likely`: a finish reason that may be one of those that stand beside
   * every piece of text, so that only an end in good order tells.
   */
  readonly decides?: 'whole' | 'likely'
  /** It holds a part of the answer. */
  readonly isPart?: boolean
}

/** An event as it is written; `data` are the bytes of its lines, without what ends it. */
interface WrittenEvent extends Written, Pick<Event, 'decides' | 'isPart'> {
  readonly data: number
}

interface Style extends PlanContext {
  readonly meaning: Meaning
  /** What stands for a finish reason in events that are not the last; undefined: no such field. */
  readonly idle: unknown
  readonly ending: Ending
  readonly isOldKobold: boolean
  readonly isAscii: boolean
  /** Adapters of servers that do not stream may write a message. */
  readonly deltaName: 'delta' | 'message'
}

type Ending = 'own' | 'beside' | 'repeated' | 'late' | 'every' | 'early' | 'none'

/** A stream of an answer, whole or spoiled. */
export function planStream(context: PlanContext, meaning: Meaning): Exchange {
  const { choice, target } = context
  const style = planStyle(context, meaning)
  const fault = planFault(style)
  const head = planHead(style)
  const pieces = piecesOf(context, meaning)
  const { events, usage } = answerEvents(style, pieces)
  if (fault === 'none' || fault === 'cut') {
    const written = write(style, events)
    if (fault === 'cut') return cutStream(style, { written, head })
    const end = planEnd(style, events, head.headers['content-type'])
    const truth = wholeTruth(style, { events, usage, end, type: head.headers['content-type'] })
    return exchange(style, { events, end, written, head, truth })
  }
  const spoilt = spoil(style, { fault, events: events.slice(0, pieces.length) })
  // A page of a proxy is no stream, so nothing stands around it.
  const written = fault === 'html' ? [{ afterMs: 0, text: PAGE }] : write(style, spoilt.events)
  choice.note(`ends ${spoilt.end}, ${target.streams ? 'streamed' : 'whole'} caller`)
  return exchange(style, { ...spoilt, written, head })
}

function planStyle(context: PlanContext, meaning: Meaning): Style {
  const { choice, target } = context
  const { backend, endpoint } = target
  const isNative = endpoint === 'native'
  const isOldKobold = backend === 'kobold' && choice.happens(0.4)
  const endings: Ending[] = isNative
    ? ['own', 'beside']
    : ['own', 'own', 'own', 'beside', 'repeated', 'late', 'none', 'early']
  // Only a plain stop stands beside everything.
  if (!isNative && meaning.reason === 'stop') endings.push('every')
  const ending = choice.way('reason stands', endings)
  const idle = isOldKobold
    ? 'null'
    : ending === 'every'
      ? meaning.reason
      : choice.pick([null, null, null, undefined, '', '', 'null', 'None', false, ...UNDONE])
  if (idle !== null) choice.note(`idle reason: ${JSON.stringify(idle)}`)
  return {
    ...context,
    meaning,
    ending,
    idle,
    isOldKobold,
    isAscii: backend === 'kobold' || choice.happens(0.2),
    deltaName: backend === 'openai' && choice.happens(0.05) ? 'message' : 'delta',
  }
}

/** What servers write that say of each event that it is not the last. */
const UNDONE = ['none', 'NULL', 'undefined', 'in_progress', 'not_finished', 'continue']

/** Pauses are shorter than the minute that a server may take between two tokens. */
function pause({ choice, pauses, target }: PlanContext, mostMs = 50_000): number {
  if (!pauses || !choice.happens(0.08)) return 0
  // What stands between KoboldCPP and the desk may be doubted for five seconds.
  const most = target.backend === 'kobold' ? Math.min(mostMs, 4_000) : mostMs
  return choice.happens(0.5)
    ? choice.between(1, Math.min(900, most))
    : choice.between(Math.min(1_100, most), most)
}

interface Answered {
  readonly events: readonly Event[]
  /** Undefined: it comes where it need not be read. */
  readonly usage: ChaosUsage | null | undefined
}

function answerEvents(style: Style, pieces: readonly Piece[]): Answered {
  const { choice, ending, meaning } = style
  const { reason, usage } = meaning
  const early = ending === 'early' && pieces.length > 1 ? choice.between(0, pieces.length - 2) : -1
  // Some write it beside text alone, and nothing beside thoughts.
  const isOfText = ending === 'every' && choice.happens(0.5)
  let contents = 0
  const events = pieces.map((piece, index): Event => {
    const isLast = index === pieces.length - 1
    const isAlone = contents === 0
    // Thoughts may come without a reason, and each text with one.
    if (piece.hasContent && !isThought(piece)) contents += 1
    const isInEvery = ending === 'every' && (!isOfText || !isThought(piece))
    const hasReason = isInEvery || (ending === 'beside' && isLast) || index === early
    // After a reason that came too early the text goes on before anybody takes it for the end.
    const afterMs = early >= 0 && index === early + 1 ? pause(style, 900) : pause(style)
    const isDeciding = ending === 'beside' && isLast
    return {
      afterMs,
      lines: dataLines(
        style,
        envelope(style, piece.fields, hasReason ? reason : isOfText ? null : style.idle),
      ),
      isPart: piece.hasContent,
      ...(isDeciding && { decides: isAlone ? ('likely' as const) : ('whole' as const) }),
      ...(ending === 'every' && isLast && { decides: 'likely' as const }),
    }
  })
  if (style.target.endpoint === 'native') return { events: [...events, ...nativeEnd(style)], usage: null }
  const isRepeated = ending === 'repeated'
  const ownReason = ending === 'own' || isRepeated || ending === 'late' || ending === 'early'
  const place = usage
    ? choice.way('usage', ['own', 'no choices', 'null choices', 'beside', 'every', 'late'])
    : 'none'
  const beside = place === 'beside' || place === 'every' ? { usage: countsOf(style) } : {}
  const own = (afterMs: number, nth = 0): Event => ({
    afterMs,
    lines: dataLines(style, { ...reasonEvent(style, nth), ...beside }),
    // Reasons that text has refuted once are believed only at an end in good order.
    decides: ending === 'early' ? 'likely' : 'whole',
  })
  const reasons = ownReason
    ? Array.from({ length: isRepeated ? choice.between(2, 4) : 1 }, (_, nth) =>
        own(ending === 'late' ? pause(style, 50_000) : 0, nth),
      )
    : []
  const isLate = place === 'late'
  const counts = usageEvents(style, ownReason && 'usage' in beside ? 'none' : place)
  const mark = endMark(style)
  const tail = isLate ? [...mark, ...counts] : [...counts, ...mark]
  return { events: [...events, ...reasons, ...tail], usage: readUsage(style, { place, isLate }) }
}

/** The event that says why the answer ended; `nth`: some say it several times. */
function reasonEvent(style: Style, nth: number): object {
  const { choice, meaning } = style
  const { reason } = meaning
  const said = nth > 0 && isCut(reason) && choice.happens(0.5) ? 'stop' : reason
  const isWhole =
    nth === 0 &&
    mayRepeatAll(style) &&
    choice.way('at the end', ['nothing', 'nothing', 'all again']) === 'all again'
  return isWhole
    ? envelope({ ...style, deltaName: 'message' }, { role: 'assistant', content: meaning.written }, said)
    : envelope(style, emptyFields(style), said)
}

/** An adapter may say `stop` of its own, behind the server's word that the answer was cut. */
const isCut = (reason: string): boolean => reason === 'length' || reason === 'content_filter'

/** Some adapters close a stream with the whole message. */
const mayRepeatAll = ({ target, deltaName, ending, meaning }: Style): boolean =>
  target.backend === 'openai' &&
  target.endpoint === 'chat' &&
  deltaName === 'delta' &&
  ending === 'own' &&
  meaning.thoughts === 'none' &&
  meaning.toolCalls.length === 0

const isThought = ({ fields }: Piece): boolean =>
  'reasoning' in fields || 'reasoning_content' in fields || JSON.stringify(fields).includes('"thinking"')

/** Counts that the old KoboldCPP invents are none. */
function readUsage(style: Style, { place, isLate }: { place: string; isLate: boolean }) {
  if (isLate) return undefined
  if (place === 'none' || style.isOldKobold) return null
  return style.meaning.usage
}

function countsOf({ isOldKobold, meaning, choice }: Style): object {
  if (isOldKobold) return { prompt_tokens: 100, completion_tokens: 100, total_tokens: 200 }
  const { prompt_tokens = 0, completion_tokens = 0 } = meaning.usage ?? {}
  const details = choice.happens(0.3) ? { prompt_tokens_details: { cached_tokens: 1 } } : {}
  return { prompt_tokens, completion_tokens, total_tokens: prompt_tokens + completion_tokens, ...details }
}

function usageEvents(style: Style, place: string): Event[] {
  if (place === 'none' || !style.meaning.usage) return []
  const usage = countsOf(style)
  const choices = place === 'no choices' ? {} : { choices: place === 'null choices' ? null : [] }
  return [
    {
      afterMs: 0,
      lines: dataLines(style, { id: idOf(style), object: 'chat.completion.chunk', ...choices, usage }),
    },
  ]
}

function nativeEnd({ choice, ending, meaning, ...style }: Style): Event[] {
  if (ending === 'beside') return []
  const fields = { token: '', finish_reason: meaning.reason }
  const lines = ['event: message', `data: ${JSON.stringify(fields)}`]
  return [{ afterMs: pause({ choice, ...style }), lines, decides: 'whole' }]
}

/** The end mark, or none, and what may stand behind it. */
function endMark(style: Style): Event[] {
  const { choice, ending } = style
  const isNeeded = ending === 'none'
  if (!isNeeded && choice.happens(0.3)) {
    choice.note('no [DONE]')
    return []
  }
  const done = choice.pick(['data: [DONE]', 'data: [DONE]', 'data:[DONE]'])
  const lines = choice.happens(0.1) ? ['event: done', done] : [done]
  const mark: Event = { afterMs: 0, lines, decides: 'whole' }
  if (choice.happens(0.9)) return [mark]
  choice.note('something behind [DONE]')
  const junk = ['data: {"error":{"message":"late"}}', 'data: {"choi', ': bye', 'data: [DONE]', '<html>']
  return [mark, { afterMs: 0, lines: [choice.pick(junk)] }]
}

const idOf = ({ isOldKobold, target }: Style) =>
  isOldKobold ? (target.endpoint === 'chat' ? 'chatcmpl-A1' : 'cmpl-A1') : 'chatcmpl-7f3'

function envelope(style: Style, fields: object, reason: unknown): object {
  const { endpoint } = style.target
  const finish = reason === undefined ? {} : { finish_reason: reason }
  if (endpoint === 'native') return { ...fields, ...finish }
  const name = style.deltaName
  const choice =
    endpoint === 'chat' ? { index: 0, [name]: fields, ...finish } : { index: 0, ...fields, ...finish }
  const usage = style.choice.happens(0.1) ? { usage: null } : {}
  return {
    id: idOf(style),
    object: 'chat.completion.chunk',
    created: 1,
    model: 'm',
    choices: [choice],
    ...usage,
  }
}

function emptyFields({ choice, target }: Style): object {
  if (target.endpoint === 'text') return { text: '' }
  return choice.pick([{}, {}, { content: '' }, { content: null }, { role: 'assistant', content: '' }])
}

/** An event as its lines. Some write JSON over several of them, which counts as one text. */
function dataLines(style: Style, value: object): string[] {
  const { choice, target, isAscii } = style
  const isPretty = target.endpoint !== 'native' && choice.happens(0.02)
  const json = isPretty ? JSON.stringify(value, null, 1) : JSON.stringify(value)
  const text = isAscii ? toAscii(json) : json
  const field = choice.happens(0.1) ? 'data:' : 'data: '
  const lines = text.split('\n').map((line) => field + line)
  return target.endpoint === 'native' || choice.happens(0.03) ? ['event: message', ...lines] : lines
}

const toAscii = (json: string): string =>
  json.replace(/[\u007f-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)

/** What keeps a connection awake, and events that belong to nobody's answer. */
const COMMENTS = [': ping', ':', ': OPENROUTER PROCESSING', ':keep-alive']
const NOISE = [
  ...COMMENTS,
  'event: ping\ndata: {"type":"ping"}',
  'event: ping\ndata: {"type":"ping","message":"no error"}',
  ...[
    'data: {"type":"ping"}',
    'data:',
    'data: ',
    'id: 7\nretry: 3000',
    'event: metadata\ndata: {"region":"eu"}',
  ],
  'event: progress\ndata: {"detail":"reading the prompt"}',
  ...['event: heartbeat', 'event: heartbeat\ndata: alive at noon', 'data: {}', 'data: keep-alive'],
  'data: {"choices":[],"prompt_filter_results":[{"prompt_index":0}]}',
  'data: {"id":"x","object":"chat.completion.chunk","choices":null}',
  'data: {"id":"x","object":"chat.completion.chunk","created":1}',
  ...[
    'data: {"error":null,"choices":[]}',
    'data: {"error":{},"choices":[]}',
    'data: {"error":"","choices":[]}',
  ],
  'data: {"conversation":"c1"}',
]
const EMPTY_CHAT = 'data: {"choices":[{"index":0,"delta":{},"finish_reason":null}]}'

/** The text of a stream, with noise between its events. */
function write(style: Style, events: readonly Event[]): WrittenEvent[] {
  const { choice, target } = style
  const end = choice.way('line ends', ['lf', 'lf', 'lf', 'crlf', 'cr', 'mixed'])
  const eol = () =>
    end === 'lf' ? '\n' : end === 'crlf' ? '\r\n' : end === 'cr' ? '\r' : choice.pick(['\n', '\r\n'])
  const noise =
    target.endpoint === 'native' ? COMMENTS : target.endpoint === 'chat' ? [...NOISE, EMPTY_CHAT] : NOISE
  const noisy = choice.pick([0, 0, 0.1, 0.5])
  const start = choice.happens(0.05) ? '\uFEFF' : choice.happens(0.05) ? eol() : ''
  const written: WrittenEvent[] = []
  const put = ({ afterMs, lines, decides, isPart = false }: Event, isLast: boolean) => {
    const before = written.length === 0 ? start : ''
    const body = before + lines.join(eol())
    const bare = isLast && style.isOldKobold && lines.at(-1) === 'data: [DONE]'
    const text = bare ? body : body + eol() + eol()
    written.push({ afterMs, text, data: Buffer.byteLength(body), isPart, ...(decides && { decides }) })
  }
  for (const [index, event] of events.entries()) {
    if (choice.happens(noisy)) put({ afterMs: 0, lines: choice.pick(noise).split('\n') }, false)
    put(event, index === events.length - 1)
  }
  return written
}

interface Head extends Pick<ChaosReply, 'headers' | 'informational' | 'compression' | 'headAfterMs'> {}

function planHead(style: PlanContext): Head {
  const { choice, pauses } = style
  const types = [
    'text/event-stream',
    'text/event-stream',
    'text/event-stream; charset=utf-8',
    'application/json',
  ]
  const type = choice.way('type', [
    ...types,
    'text/plain',
    'text/html; charset=utf-8',
    'application/octet-stream',
    'Text/Event-Stream',
    '',
  ])
  return {
    ...planTransport(choice),
    headers: type ? { 'content-type': type } : {},
    headAfterMs: headPause(choice, pauses),
  }
}

type Fault =
  | ('none' | 'cut' | 'no end' | 'stall' | 'stopped' | 'failed' | 'null' | 'half' | 'html' | 'nothing')
  | ('error object' | 'error field' | 'error event')

function planFault({ choice, ending, target, pauses }: Style): Fault {
  if (choice.happens(0.6)) return 'none'
  const isNative = target.endpoint === 'native'
  const faults: Fault[] = ['error object', 'error field', 'error event']
  // After a reason that was none, no reader can tell an end from a fault.
  const isClear = ending !== 'every' && ending !== 'early'
  if (isClear)
    faults.push('cut', 'cut', 'cut', 'stopped', 'failed', 'null', 'half', 'no end', 'html', 'nothing')
  // A connection that breaks shows that the reasons beside text were none.
  if (ending === 'every') faults.push('cut', 'cut')
  if (isClear && pauses) faults.push('stall')
  if (isNative)
    return choice.way('fault', [
      'cut',
      'no end',
      'error object',
      'html',
      'nothing',
      ...(pauses ? (['stall'] as const) : []),
    ])
  return choice.way('fault', faults)
}

interface Spoilt {
  readonly events: readonly Event[]
  readonly end: ChaosReply['end']
  readonly truth: Partial<ChaosTruth>
}

const PAGE = '<!doctype html>\n<title>Sign in</title>\n'

/** Ends the events of an answer in another way than in good order. */
function spoil(style: Style, { fault, events }: { fault: Fault; events: readonly Event[] }): Spoilt {
  const { choice, target } = style
  const kept = events.slice(0, choice.between(0, events.length)).map(({ decides: _, ...event }) => event)
  // The one that would end the answer.
  const before = style.ending === 'beside' && kept.length === events.length ? kept.slice(0, -1) : kept
  const failure = (codes: readonly string[], mostCalls = 1) => ({
    ends: 'failure' as const,
    codes,
    mostCalls,
  })
  const more = choice.happens(0.5) ? [{ afterMs: 0, lines: ['data: [DONE]'] }] : []
  if (fault === 'error object' || fault === 'error field' || fault === 'error event') {
    const { lines, codes } = errorLines(choice, fault)
    return { events: [...before, line(...lines), ...more], end: 'close', truth: failure(codes) }
  }
  if (fault === 'stall') {
    const codes = ['api_timeout', 'deadline_exceeded', 'api_response_structure_error']
    return { events: before, end: 'open', truth: failure(codes) }
  }
  if (fault === 'html') {
    return { events: [], end: 'close', truth: failure(['api_response_format_error']) }
  }
  if (fault === 'nothing') return emptyStream(style)
  if (fault === 'null') {
    return {
      events: [...before, line('data: null'), ...more],
      end: 'close',
      truth: failure(['api_response_structure_error']),
    }
  }
  if (fault === 'half') {
    const half = line('data: {"choices":[{"index":0,"delta":{"content":"lo')
    return { events: [...before, half, ...more], end: 'close', truth: failure(['api_response_format_error']) }
  }
  if (fault === 'no end') {
    const isNothing = before.length === 0
    const codes = [
      'api_stream_interrupted',
      ...(target.streams ? [] : ['api_connection_error']),
      // Nothing at all, of a type that is no stream's.
      ...(isNothing ? ['api_response_format_error'] : []),
    ]
    return { events: before, end: 'close', truth: failure(codes, 3) }
  }
  const isStopped = fault === 'stopped'
  const reason = isStopped
    ? choice.pick(['abort', 'cancelled', 'aborted', 'interrupted', 'shutdown'])
    : choice.pick(['error', 'failed', 'network_error'])
  const own = line(...dataLines(style, envelope(style, emptyFields(style), reason)))
  const codes = [isStopped ? 'api_stream_interrupted' : 'api_response_structure_error']
  const later = choice.happens(0.3)
    ? [line(...dataLines(style, envelope(style, emptyFields(style), choice.pick(['stop', 'length', '']))))]
    : []
  return {
    events: [...before, own, ...later, ...more],
    end: 'close',
    truth: failure(codes, isStopped ? 3 : 1),
  }
}

const line = (...lines: string[]): Event => ({ afterMs: 0, lines })

/** An error in the ways in which servers write it into a stream. */
function errorLines(
  choice: Choice,
  fault: 'error object' | 'error field' | 'error event',
): { lines: string[]; codes: readonly string[] } {
  const { value, text, codes } = planErrorObject(choice)
  choice.note(text)
  const json = JSON.stringify(value)
  if (fault === 'error object') return { lines: [`data: ${json}`], codes }
  if (fault === 'error event') {
    return { lines: ['event: error', `data: ${choice.happens(0.2) ? text : json}`], codes }
  }
  return { lines: [`error: ${choice.happens(0.5) ? JSON.stringify(innerOf(value)) : json}`], codes }
}

/** An answer without a token, as servers without a model give it; with tokens it is an answer. */
function emptyStream(style: Style): Spoilt {
  const { choice, target, meaning } = style
  const count = target.endpoint === 'native' ? undefined : choice.pick([0, 0, 3, undefined])
  const codes = ['api_response_structure_error']
  const fields =
    target.endpoint === 'chat' ? { content: '' } : target.endpoint === 'text' ? { text: '' } : { token: '' }
  const usage = count === undefined ? {} : { usage: { prompt_tokens: 7, completion_tokens: count } }
  const bare: Style = { ...style, isOldKobold: false, meaning: { ...meaning, reason: 'stop' } }
  const lines = dataLines(bare, { ...envelope(bare, fields, 'stop'), ...usage })
  choice.note(`tokens: ${count}`)
  const empty = { text: '', reasoning: '', toolCalls: [], usage: undefined, finish: ['stop'], codes }
  const ends = count === 0 ? 'failure' : count === undefined ? 'either' : 'answer'
  return { events: [{ afterMs: 0, lines }], end: 'close', truth: { ...empty, ends } }
}

/** What stands in the wrapper. */
function innerOf(value: object): object {
  if ('error' in value && typeof value.error === 'object' && value.error !== null) return value.error
  return value
}

/** How a whole stream ends. A connection that stays open says nothing more. */
function planEnd(
  style: Style,
  events: readonly Event[],
  type: string | undefined,
): 'close' | 'reset' | 'short' | 'open' {
  const { choice, pauses } = style
  const isMarked = events.some(({ decides }) => decides === 'whole')
  const end = choice.happens(0.6) ? 'close' : choice.pick(['reset', 'short', 'open'] as const)
  // Without anything that ends it, it is waited for as long as a token may take.
  const isQuick = isMarked && isExpected(style, type)
  // A real reset takes away what was not read: where a reason came too early, nobody can tell then that some is missing.
  if (end === 'reset' && !pauses && style.ending === 'early') return 'close'
  return end === 'open' && !pauses && !isQuick ? 'close' : end
}

/** Of KoboldCPP's `length` only a count tells what it means. */
function finishOf({ meaning, target, ending }: Style, usage: Answered['usage']): readonly string[] {
  const { reason, finish, toolCalls } = meaning
  // A reason that is not sent is none that could be read; then only the count can tell.
  if (ending === 'none' && toolCalls.length === 0) {
    return usage && usage.completion_tokens >= MAX_TOKENS ? ['length'] : ['stop']
  }
  return target.backend === 'kobold' && reason === 'length' && !usage ? ['length', 'stop'] : finish
}

/** Who asked for one piece waits for its end, unless the type says that there will be none. */
const isExpected = ({ target }: Style, type: string | undefined): boolean =>
  target.streams || (type?.toLowerCase().includes('event-stream') ?? false)

function wholeTruth(
  style: Style,
  { events, usage, end, type }: Answered & { end: string; type: string | undefined },
): Partial<ChaosTruth> {
  const isMarked = events.some(({ decides }) => decides === 'whole')
  const isKnown = isExpected(style, type)
  const isSafe = (isMarked && isKnown) || end === 'close'
  const isEndless = end === 'open' && (style.ending === 'every' || !isKnown)
  style.choice.note(`ends ${end}`)
  return {
    ends: isSafe || (end === 'open' && !isEndless) ? 'answer' : 'either',
    usage,
    finish: finishOf(style, usage),
    codes: [
      ...['api_stream_interrupted', 'api_timeout'],
      ...(isKnown ? [] : ['api_connection_error', 'deadline_exceeded']),
    ],
    mostCalls: isSafe || end === 'open' ? 1 : 3,
  }
}

/** The same bytes, with an end somewhere in them. */
function cutStream(
  style: Style,
  { written, head }: { written: readonly WrittenEvent[]; head: Head },
): Exchange {
  const { choice, target, meaning } = style
  const total = written.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0)
  const at = choice.between(0, total)
  const end = choice.way(
    'cut by',
    style.ending === 'every' ? ['reset', 'short'] : ['close', 'reset', 'short'],
  )
  choice.note(`cut at byte ${at} of ${total}`)
  const isClean = end === 'close'
  let offset = 0
  let verdict: ChaosTruth['ends'] = 'failure'
  let hasPart = false
  for (const { text, data, decides, isPart } of written) {
    if (isPart && at >= offset + Buffer.byteLength(text)) hasPart = true
    const isDeciding = decides === 'whole' || (decides === 'likely' && isClean)
    if (at >= offset + Buffer.byteLength(text)) {
      if (isDeciding) verdict = 'answer'
      else if (decides === 'likely' && verdict === 'failure') verdict = 'either'
    } else if (decides && at >= offset + data && verdict === 'failure') verdict = 'either'
    offset += Buffer.byteLength(text)
  }
  const steps = cutBytes(choice, written)
  const kept: typeof steps = []
  let left = at
  for (const step of steps) {
    if (left <= 0) break
    kept.push({ ...step, bytes: step.bytes.subarray(0, left) })
    left -= step.bytes.length
  }
  const type = head.headers['content-type']
  if (verdict === 'answer' && !isClean && !isExpected(style, type)) verdict = 'either'
  const isUnclear = at < 16 && !type?.toLowerCase().includes('event-stream')
  const codes = [
    'api_stream_interrupted',
    // Too little to know what it is.
    // Nothing of an answer yet, but events of other kinds.
    ...(hasPart ? [] : ['api_response_structure_error']),
    ...(isUnclear || !target.streams ? ['api_response_format_error', 'api_connection_error'] : []),
  ]
  return {
    reply: { status: 200, ...head, steps: kept, end },
    truth: {
      ...truthOf(meaning),
      ends: verdict,
      usage: undefined,
      finish: finishOf(style, undefined),
      codes,
      mostCalls: verdict === 'answer' ? 1 : 3,
    },
  }
}

function exchange(
  { choice, meaning }: Style,
  { written, head, end, truth }: Spoilt & { written: readonly Written[]; head: Head },
): Exchange {
  return {
    reply: { status: 200, ...head, steps: cutBytes(choice, written), end },
    truth: { ...truthOf(meaning), ...truth },
  }
}
