import type { BackendKind } from '../gateways/gateway.ts'
import { type Chatted, chat, holdsMark, post } from './chat.ts'
import { type Finding, fail, passIf, type Row, type Subject } from './finding.ts'
import { isOver, LONG, NAMES, type SeenCall, STOP_LIMIT_MS, waitForCall } from './hang-up-rows.ts'
import { readReply } from './read-reply.ts'

/** What a client of KoboldCPP does beside a generation. */
const side = (subject: Subject, backend: BackendKind, path: string, genkey: string): Promise<Chatted> =>
  post(subject.gateway, { backend, path, body: { genkey } })

const PATIENCE_MS = 10_000

/** The text so far, as soon as there is any; empty where none comes in time. */
async function textSoFar(subject: Subject, backend: BackendKind, genkey: string): Promise<string> {
  const endAt = performance.now() + PATIENCE_MS
  for (;;) {
    const end = readReply(await side(subject, backend, '/api/extra/generate/check', genkey))
    const text = end.as === 'answer' ? end.text : ''
    if (text !== '' || performance.now() > endAt) return text
  }
}

const abort = (backend: BackendKind, stream: boolean) =>
  async function abortRow(subject: Subject): Promise<Finding> {
    const genkey = `KCPP${Date.now()}`
    const mark = `abort-${backend}-${stream}-${genkey}`
    const isMine = ({ body }: SeenCall) => holdsMark(body, mark)
    const reply = chat(subject.gateway, { backend, mark, stream, genkey, maxTokens: LONG })
    const soFar = await Promise.race([reply, textSoFar(subject, backend, genkey)])
    if (typeof soFar !== 'string') return fail(`ended with status ${soFar.status} before it was aborted`)
    if (soFar === '') return fail('check tells nothing of a text that is being written')
    const abortedAt = performance.now()
    const aborted = await side(subject, backend, '/api/extra/abort', genkey)
    if (!/"success":"true"/.test(aborted.text)) return fail(`abort was answered with ${aborted.text}`)
    await waitForCall(subject, backend, (call) => isMine(call) && isOver(call))
    const wentOnMs = performance.now() - abortedAt
    const end = readReply(await reply)
    const isKept = end.as === 'answer' && end.text.startsWith(soFar)
    return passIf(
      wentOnMs < STOP_LIMIT_MS && isKept,
      `the server went on for ${Math.round(wentOnMs)} ms; ${isKept ? 'the text so far came' : `the text was ${end.as}`}`,
    )
  }

async function abortWhileWaiting(subject: Subject): Promise<Finding> {
  const { gateway, range } = subject
  const ask = (name: string) => {
    const genkey = `aborted-${name}-${Date.now()}`
    return { genkey, reply: chat(gateway, { backend: 'kobold', mark: genkey, genkey, maxTokens: LONG / 2 }) }
  }
  const first = ask('first')
  const runs = ({ body, tokensGenerated }: SeenCall) => holdsMark(body, first.genkey) && tokensGenerated > 0
  if (!(await waitForCall(subject, 'kobold', runs)))
    return fail('the call before it did not reach the server')
  const second = ask('second')
  const endAt = performance.now() + PATIENCE_MS
  let isAborted = false
  while (!isAborted && performance.now() < endAt) {
    const { text } = await side(subject, 'kobold', '/api/extra/abort', second.genkey)
    isAborted = /"success":"true"/.test(text)
  }
  const reply = await second.reply
  await first.reply
  const spent = range.kobold.calls.filter(({ body }) => holdsMark(body, second.genkey)).length
  return passIf(
    isAborted && reply.status === 200 && spent === 0,
    `answered with status ${reply.status} after ${spent} calls for who had aborted`,
  )
}

const abortRow = (backend: BackendKind, stream: boolean): Row => ({
  name: `abort ${stream ? 'of a stream' : 'before the answer'} stops the ${NAMES[backend]} server`,
  backend,
  doors: ['kobold'],
  run: abort(backend, stream),
})

/** Only KoboldCPP's API has an address for it. */
export const KOBOLD_ROWS: readonly Row[] = [
  abortRow('openai', true),
  abortRow('openai', false),
  abortRow('kobold', true),
  abortRow('kobold', false),
  { name: 'abort while waiting costs nothing', backend: 'kobold', doors: ['kobold'], run: abortWhileWaiting },
]
