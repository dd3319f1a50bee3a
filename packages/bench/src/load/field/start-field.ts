import { Agent } from 'undici'
import type { RunningProgram } from '../../servers/running-program.ts'
import type { Line } from '../send/ask.ts'
import { type Boxes, startBoxes } from './boxes.ts'
import { type StartDeskOptions, startDesk } from './start-desk.ts'

/** Tokens a second of a simulated box: its answers take a few to a hundred and fifty milliseconds. */
const BOX_SPEED = 2000
/** Longer than an event may take. */
const PATIENCE_MS = 660_000

/** Boxes, a server in front of them, and a line to it. */
export interface Field extends AsyncDisposable {
  readonly boxes: Boxes
  readonly desk: RunningProgram
  readonly line: Line
}

export interface StartFieldOptions extends Pick<StartDeskOptions, 'folder' | 'nodeFlags' | 'withChannel'> {
  readonly boxes: number
  readonly seed: number
}

export async function startField({ boxes: count, seed, ...place }: StartFieldOptions): Promise<Field> {
  await using stack = new AsyncDisposableStack()
  const boxes = stack.use(await startBoxes({ count, tokensPerSecond: BOX_SPEED }))
  const backends = boxes.boxes.map(({ name, simulator, slots }) => ({
    name,
    type: 'kobold' as const,
    url: simulator.url,
    concurrency: slots,
  }))
  const desk = stack.use(await startDesk({ ...place, backends }))
  const dispatcher = new Agent({ headersTimeout: 0, bodyTimeout: 0 })
  stack.defer(() => dispatcher.close())
  const open = stack.move()
  return {
    boxes,
    desk,
    line: { dispatcher, url: desk.url, run: String(seed), patienceMs: PATIENCE_MS },
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  }
}
