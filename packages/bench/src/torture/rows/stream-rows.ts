import type { OpenAICall, ScriptedReply } from '@ai-ticket/testkit'
import { chat } from './chat.ts'
import { type Finding, fail, passIf, type Row, type Subject } from './finding.ts'
import { readReply } from './read-reply.ts'
import { streamProblem } from './stream-problem.ts'

/** An event of a stream, as the address that was asked has it: a chat says a `delta`, a text says `text`. */
const chunk = (
  { path }: Pick<OpenAICall, 'path'>,
  content: string,
  finish_reason: string | null = null,
): object => {
  const isChat = path.endsWith('/chat/completions')
  const choice = { index: 0, ...(isChat ? { delta: { content } } : { text: content }), finish_reason }
  const object = isChat ? 'chat.completion.chunk' : 'text_completion'
  return { id: 'torture', object, created: 1_750_000_000, model: 'torture-openai', choices: [choice] }
}

const QUICK_SILENCE_MS = 12_000
/** Node's fetch gives up after 300 s. */
const REAL_SILENCE_MS = 310_000

/** Tries each of the others only where an ordinary stream arrives. */
const ifItStreams = (run: Row['run']) =>
  async function runIfItStreams(subject: Subject): Promise<Finding> {
    return (await streamProblem(subject.gateway, 'openai')) ?? run(subject)
  }

/** The beginning of an answer, and what comes behind it. */
async function streamOf({ gateway, range }: Subject, ending: Pick<ScriptedReply, 'ending'> = {}) {
  range.openai.script((call) => ({ events: [chunk(call, 'Half an'), chunk(call, ' ans')], ...ending }))
  return readReply(await chat(gateway, { backend: 'openai', mark: 'stream', stream: true }))
}

const told = (end: Awaited<ReturnType<typeof streamOf>>): string => {
  if (end.as === 'cut') return 'the connection to the caller broke, too'
  return end.as === 'error' ? `the caller got ${end.what}` : `a clean end after "${end.text}"`
}

async function death(subject: Subject): Promise<Finding> {
  const end = await streamOf(subject, { ending: 'cut' })
  return passIf(end.as !== 'answer', told(end))
}

async function earlyEnd(subject: Subject): Promise<Finding> {
  const end = await streamOf(subject)
  return passIf(end.as !== 'answer', told(end))
}

const message = { role: 'assistant', content: 'Here I am.' }
const WHOLE = { object: 'chat.completion', choices: [{ index: 0, message, finish_reason: 'stop' }] }
const streamFor = (call: OpenAICall) => [chunk(call, 'Here I am.'), chunk(call, '', 'stop'), '[DONE]']

/** A stream; a whole answer where it has none. A gateway that gives up and asks again has failed, however that ends. */
async function silence({ gateway, range, isSlow, signal }: Subject): Promise<Finding> {
  const stream = (await streamProblem(gateway, 'openai')) === undefined
  const afterMs = isSlow ? REAL_SILENCE_MS : QUICK_SILENCE_MS
  const again = new AbortController()
  let calls = 0
  range.openai.script((call) => {
    calls += 1
    if (calls > 1) again.abort()
    return { ...(stream ? { events: streamFor(call) } : { body: WHOLE }), afterMs }
  })
  const startedAt = performance.now()
  const given = { backend: 'openai', mark: 'silence', stream } as const
  const reply = await chat(gateway, { ...given, signal: AbortSignal.any([signal, again.signal]) })
  const tookS = ((performance.now() - startedAt) / 1000).toFixed(0)
  const silent = `silent for ${afterMs / 1000} s`
  if (again.signal.aborted) return fail(`${silent}: given up after ${tookS} s, and asked again`)
  const end = readReply(reply)
  const isWhole = end.as === 'answer' && end.text === message.content
  return passIf(isWhole, `${silent}: ${isWhole ? 'answered' : told(end)} after ${tookS} s`)
}

export const STREAM_ROWS: readonly Row[] = [
  { name: 'death in the middle of a stream is an error', backend: 'openai', run: ifItStreams(death) },
  { name: 'a stream without a finish reason is an error', backend: 'openai', run: ifItStreams(earlyEnd) },
  { name: 'a long prompt: silence before the first token', backend: 'openai', run: silence },
]
