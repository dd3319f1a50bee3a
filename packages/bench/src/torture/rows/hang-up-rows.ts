import { setTimeout as sleep } from 'node:timers/promises'
import type { BackendKind } from '../gateways/gateway.ts'
import { TOKENS_PER_SECOND } from '../gateways/range.ts'
import { chat, holdsMark } from './chat.ts'
import { type Finding, fail, passIf, type Row, type Subject } from './finding.ts'
import { streamProblem } from './stream-problem.ts'

/** An answer of four seconds. */
export const LONG = 4 * TOKENS_PER_SECOND
/** Our own promise is one second; a poll of the server's comes to it. */
export const STOP_LIMIT_MS = 1500

/** What both simulators know of a call. */
export interface SeenCall {
  readonly body: unknown
  readonly state: string
  readonly tokensGenerated: number
}

const PATIENCE = { timeoutMs: 10_000 }

/** Waits for something about a call that the backend is working on. */
export const waitForCall = (
  { range }: Subject,
  backend: BackendKind,
  holds: (call: SeenCall) => boolean,
  timeoutMs = PATIENCE.timeoutMs,
): Promise<boolean> => {
  const simulator: {
    waitFor: (check: (s: { calls: readonly SeenCall[] }) => boolean, o: object) => Promise<void>
  } = range[backend]
  return simulator
    .waitFor(({ calls }) => calls.some(holds), { timeoutMs })
    .then(
      () => true,
      () => false,
    )
}

export const isOver = ({ state }: SeenCall) => state !== 'running' && state !== 'waiting'

const hangUp = (backend: BackendKind, stream: boolean) =>
  async function hangUpRow(subject: Subject): Promise<Finding> {
    const problem = stream ? await streamProblem(subject.gateway, backend) : undefined
    if (problem !== undefined) return problem
    const mark = `hang-up-${backend}-${stream}-${Date.now()}`
    const isMine = ({ body }: SeenCall) => holdsMark(body, mark)
    const controller = new AbortController()
    const { signal } = controller
    const reply = chat(subject.gateway, { backend, mark, stream, maxTokens: LONG, signal })
    const runs = waitForCall(subject, backend, (call) => isMine(call) && call.tokensGenerated > 10)
    const early = await Promise.race([reply, runs])
    if (early === false) return fail('the call did not reach the server')
    if (early !== true) return fail(`answered with status ${early.status} instead of an answer`)
    controller.abort()
    const hungUpAt = performance.now()
    await waitForCall(subject, backend, (call) => isMine(call) && isOver(call))
    const wentOnMs = performance.now() - hungUpAt
    return passIf(wentOnMs < STOP_LIMIT_MS, `the server went on for ${Math.round(wentOnMs)} ms`)
  }

async function hangUpWhileWaiting(subject: Subject): Promise<Finding> {
  const backend = 'kobold'
  const [first, second] = ['first', 'second'].map((name) => `waiting-${name}-${Date.now()}`) as [
    string,
    string,
  ]
  const running = chat(subject.gateway, { backend, mark: first, maxTokens: LONG / 2 })
  if (
    !(await waitForCall(
      subject,
      backend,
      ({ body, tokensGenerated }) => holdsMark(body, first) && tokensGenerated > 0,
    ))
  )
    return fail('the call before it did not reach the server')
  const controller = new AbortController()
  const waiting = chat(subject.gateway, {
    backend,
    mark: second,
    maxTokens: LONG / 2,
    signal: controller.signal,
  })
  await sleep(500)
  controller.abort()
  await Promise.all([running, waiting])
  // Whoever hands every call on has it running by now.
  await sleep(1000)
  const spent = subject.range.kobold.calls
    .filter(({ body }) => holdsMark(body, second))
    .reduce((sum, { tokensGenerated }) => sum + tokensGenerated, 0)
  return passIf(spent === 0, `${spent} tokens were generated for the caller who had gone`)
}

export const NAMES: Readonly<Record<BackendKind, string>> = { openai: 'OpenAI-like', kobold: 'KoboldCPP' }

const hangUpRow = (backend: BackendKind, stream: boolean): Row => ({
  name: `hang-up ${stream ? 'of a stream' : 'before the answer'} stops the ${NAMES[backend]} server`,
  backend,
  run: hangUp(backend, stream),
})

export const HANG_UP_ROWS: readonly Row[] = [
  hangUpRow('openai', true),
  hangUpRow('openai', false),
  hangUpRow('kobold', true),
  hangUpRow('kobold', false),
  { name: 'hang-up while waiting costs nothing', backend: 'kobold', run: hangUpWhileWaiting },
]
