import type { Outcome } from '@ai-ticket/core'
import type { ChaosPlan, ChaosStep, ChaosTruth } from './chaos-plan.ts'
import { THOUGHT_TAGS } from './meaning.ts'

/** What a caller saw of one event. */
export interface ChaosSeen {
  /** Undefined: there was none in time. */
  readonly outcome: Outcome | undefined
  /** What was handed on before, of a stream. */
  readonly text: string
  /** What was handed on of the thoughts. */
  readonly reasoning: string
  /** Calls that the server got. */
  readonly calls: number
}

/**
 * Whether what a caller saw is what the plan says: the exact text, or a failure that is one. Empty: it is. A sentence
 * for each thing that is wrong.
 */
export function judgeChaos({ truth, streams, first }: ChaosPlan, seen: ChaosSeen): string[] {
  const { outcome, calls } = seen
  if (!outcome) return ['It hangs: there is no outcome in time.']
  const handedOn = !truth.mayLose && streams && (seen.text !== '' || seen.reasoning !== '')
  // What has been handed on cannot be taken back: nothing is repeated after it.
  const mostCalls = outcome.error !== undefined && handedOn ? (first ? 2 : 1) : truth.mostCalls
  const beside = { seen, streams }
  const wrong =
    outcome.error !== undefined ? judgeFailure(truth, outcome, beside) : judgeAnswer(truth, outcome, beside)
  return calls > mostCalls ? [...wrong, `It took ${calls} calls, at most ${mostCalls} are right.`] : wrong
}

type Failed = Extract<Outcome, { error: string }>
type Answered = Exclude<Outcome, Failed>

interface Beside {
  readonly seen: ChaosSeen
  readonly streams: boolean
}

function judgeFailure(
  truth: ChaosTruth,
  { error, partial = '', details }: Failed,
  { seen, streams }: Beside,
): string[] {
  if (truth.ends === 'answer') return [`A good answer is lost: ${error}, ${details}`]
  const wrong: string[] = []
  if (!truth.codes.includes(error))
    wrong.push(`The code is ${error} (${details}), not ${truth.codes.join(' or ')}.`)
  // Where it broke off within the tag that opens thoughts, nobody knows yet that it is one.
  const isTag = truth.reasoning !== '' && THOUGHT_TAGS.some(([open]) => isPrefix(partial, open))
  if (!isPrefix(partial, truth.text) && !isTag) wrong.push('`partial` is no beginning of the text.')
  const thoughts = withoutTag(seen.reasoning)
  if (!thoughts.some((reasoning) => isPrefix(reasoning, truth.reasoning)))
    wrong.push('The thoughts that were handed on are no beginning of the thoughts.')
  if (streams && !isPrefix(seen.text, partial)) wrong.push('`partial` lacks what was handed on.')
  return wrong
}

/** The thoughts, and as they are where an answer broke off in the tag that closes them. */
function withoutTag(reasoning: string): string[] {
  const ends = THOUGHT_TAGS.flatMap(([, close]) =>
    Array.from({ length: close.length }, (_, length) => close.slice(0, length)),
  )
  return ends
    .filter((end) => reasoning.endsWith(end))
    .map((end) => reasoning.slice(0, -end.length || undefined))
}

const isPrefix = (part: string, whole: string) => whole.trim().startsWith(part.trim())

function judgeAnswer(truth: ChaosTruth, answer: Answered, { seen, streams }: Beside): string[] {
  if (truth.ends === 'failure') return ['A success that is none.']
  const wrong: string[] = []
  const same = (what: string, found: unknown, meant: unknown) => {
    if (JSON.stringify(found) !== JSON.stringify(meant)) {
      wrong.push(`The ${what} is ${JSON.stringify(found)}, not ${JSON.stringify(meant)}.`)
    }
  }
  same('completion', answer.completion, truth.text.trim())
  same('reasoning', (answer.reasoning ?? '').trim(), truth.reasoning.trim())
  same(
    'calls of tools',
    callsOf(answer),
    truth.toolCalls.map((call) => ({ ...call, arguments: readable(call.arguments) })),
  )
  if (truth.usage !== undefined) same('usage', answer.usage, truth.usage)
  if (!truth.finish.includes(answer.finish_reason)) {
    wrong.push(`The finish reason is ${answer.finish_reason}, not ${truth.finish.join(' or ')}.`)
  }
  if (streams) {
    same('streamed text', seen.text.trim(), truth.text.trim())
    same('streamed reasoning', seen.reasoning.trim(), truth.reasoning.trim())
  }
  return wrong
}

const callsOf = ({ tool_calls = [] }: Answered) =>
  tool_calls.map(({ function: called }) => ({ name: called.name, arguments: readable(called.arguments) }))

/** Arguments by what they say: a server may send them as an object. No arguments are an empty object. */
function readable(given: string): unknown {
  try {
    return JSON.parse(given.trim() === '' ? '{}' : given)
  } catch {
    return given
  }
}

/** The plan and what came of it, to read: a line for each event of the body. */
export function describeChaos({ reply, truth, ...plan }: ChaosPlan, seen: ChaosSeen): string {
  const { steps, ...head } = reply
  const { attempts = [], ...outcome } = seen.outcome ?? {}
  return [
    `seed ${plan.seed}: ${plan.notes.join('; ')}`,
    `head ${JSON.stringify(head)}, ${steps.length} pieces`,
    ...linesOf(steps).map((line) => `  ${line.length > 400 ? `${line.slice(0, 400)}…` : line}`),
    `truth ${JSON.stringify(truth)}`,
    `seen ${JSON.stringify({ ...seen, outcome })}`,
    ...attempts
      .slice(0, 5)
      .map(({ endpoint, result, details }) => `  ${endpoint} ${result} ${details ?? ''}`),
  ].join('\n')
}

function linesOf(steps: readonly ChaosStep[]): string[] {
  const lines: string[] = []
  let bytes: Uint8Array[] = []
  const flush = () => {
    const text = Buffer.concat(bytes).toString()
    bytes = []
    if (text !== '') lines.push(...text.split(/(?<=\n\n|\r\r|\n\r\n)/).map((event) => JSON.stringify(event)))
  }
  for (const step of steps) {
    if (step.afterMs > 0) {
      flush()
      lines.push(`… ${step.afterMs} ms`)
    }
    bytes.push(step.bytes)
  }
  flush()
  return lines
}
