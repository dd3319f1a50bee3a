import { setTimeout as sleep } from 'node:timers/promises'
import type { Boxes } from './field/boxes.ts'
import type { PlannedRequest } from './plan/plan-load.ts'
import type { Line } from './send/ask.ts'
import { sendRequest } from './send/send-request.ts'
import type { Tally } from './tally.ts'

export interface DriveOptions {
  readonly plan: Iterable<PlannedRequest>
  readonly durationMs: number
  /** Requests on their way at one time; one more waits until another has ended. */
  readonly connections: number
  readonly line: Line
  readonly boxes: Boxes
  readonly tally: Tally
}

/** Sends every request at its time, whatever became of the former ones, and waits for all of them. */
export async function driveLoad(options: DriveOptions): Promise<void> {
  const { plan, durationMs, connections, boxes } = options
  const slots = boxes.boxes.reduce((sum, box) => sum + box.slots, 0)
  const inHand = () => boxes.boxes.reduce((sum, box) => sum + box.inHand, 0)
  const underWay = new Set<Promise<void>>()
  const startedAt = performance.now()
  const isOver = () => performance.now() - startedAt > durationMs
  for (const planned of plan) {
    // Where the connections are all taken, requests fall behind: the time counts, not the plan.
    if (planned.atMs > durationMs || isOver()) break
    const waitMs = startedAt + planned.atMs - performance.now()
    if (waitMs > 0) await sleep(waitMs)
    while (underWay.size >= connections) await Promise.race(underWay)
    // Counted twice where a box works on one of them: rather too few are measured than one that had to wait.
    const isAlone = underWay.size + inHand() < slots
    const sent: Promise<void> = send(options, planned, isAlone).finally(() => underWay.delete(sent))
    underWay.add(sent)
  }
  await Promise.all(underWay)
}

async function send({ line, boxes, tally }: DriveOptions, planned: PlannedRequest, isAlone: boolean) {
  const { kind, number } = planned
  tally.begin(kind)
  const ending = await sendRequest(line, planned)
  tally.end(kind, number, ending)
  const workMs = boxes.takeWorkMs(number)
  const isWhole = ending.as === 'answered' && ending.code === 'completed' && ending.wholeMs !== undefined
  if (isWhole && isAlone && workMs > 0) tally.add(ending.wholeMs - workMs)
}
