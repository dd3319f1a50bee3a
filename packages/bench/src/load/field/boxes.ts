import { type KoboldSimulator, startKoboldSimulator } from '@ai-ticket/testkit'
import { numberIn } from '../plan/event-body.ts'

/** A simulated KoboldCPP, and what it must not see. */
export interface Box {
  readonly name: string
  readonly simulator: KoboldSimulator
  readonly slots: number
  /** The most calls that it had at one time, those that had to wait for its model included. */
  readonly mostAtOnce: number
  /** Calls that it has now. */
  readonly inHand: number
  readonly calls: number
  /** How long it had something to do, call by call, in milliseconds. */
  readonly workMs: number
}

export interface Boxes extends AsyncDisposable {
  readonly boxes: readonly Box[]
  /** How long the boxes have worked on the request with this number, in milliseconds; it is forgotten thereby. */
  takeWorkMs(number: number): number
}

export interface BoxesOptions {
  readonly count: number
  readonly tokensPerSecond: number
}

const REMEMBERED = 10_000

/** One generation at a time, as a KoboldCPP without further flags. */
const SLOTS = 1
/** Longer than any `max_tokens` of the plan: those decide how long an answer is. */
const ANSWER = 'This text is as long as it was asked for and says nothing. '.repeat(60)

/** Every other box follows the older server, which has other endpoints and habits. */
export async function startBoxes({ count, tokensPerSecond }: BoxesOptions): Promise<Boxes> {
  const work = new Map<number, number>()
  await using stack = new AsyncDisposableStack()
  const boxes: Box[] = []
  for (let index = 0; index < count; index++) {
    const seen = { mostAtOnce: 0, inHand: 0, calls: 0, workMs: 0 }
    const simulator = await startKoboldSimulator({
      version: index % 2 === 0 ? '1.115.1' : '1.76',
      tokensPerSecond,
      answer: () => ANSWER,
      recordCalls: false,
      onCall() {
        seen.calls += 1
        seen.inHand += 1
        seen.mostAtOnce = Math.max(seen.mostAtOnce, seen.inHand)
      },
      onCallEnd(call) {
        seen.inHand -= 1
        const number = numberIn(call.body)
        const tookMs = performance.now() - call.startedAt
        seen.workMs += tookMs
        if (number === undefined) return
        work.set(number, (work.get(number) ?? 0) + tookMs)
        // Those whose caller had gone before are never asked for.
        const [oldest] = work.keys()
        if (work.size > REMEMBERED && oldest !== undefined) work.delete(oldest)
      },
    })
    stack.use(simulator)
    boxes.push({
      name: `box-${index + 1}`,
      simulator,
      slots: SLOTS,
      get mostAtOnce() {
        return seen.mostAtOnce
      },
      get inHand() {
        return seen.inHand
      },
      get calls() {
        return seen.calls
      },
      get workMs() {
        return seen.workMs
      },
    })
  }
  const open = stack.move()
  return {
    boxes,
    takeWorkMs(number) {
      const tookMs = work.get(number) ?? 0
      work.delete(number)
      return tookMs
    },
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  }
}
