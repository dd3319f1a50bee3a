import type { ChaosReply, ChaosStep, Choice } from './chaos-plan.ts'

/** A text that a server writes, so long after the one before. */
export interface Written {
  readonly afterMs: number
  readonly text: string
}

/** The bytes of texts, cut anywhere: as they were written, at once, one by one, or at random. */
export function cutBytes(choice: Choice, written: readonly Written[]): ChaosStep[] {
  const way = choice.way('cuts', ['as written', 'joined', 'single bytes', 'random', 'random'])
  const steps: ChaosStep[] = []
  for (const { afterMs, bytes } of way === 'as written' ? toBytes(written) : join(toBytes(written))) {
    const sizes =
      way === 'as written' || way === 'joined' ? [bytes.length] : sizesOf(choice, bytes.length, way)
    let at = 0
    for (const size of sizes) {
      steps.push({ afterMs: at === 0 ? afterMs : 0, bytes: bytes.subarray(at, at + size) })
      at += size
    }
  }
  return steps
}

const encoder = new TextEncoder()

const toBytes = (written: readonly Written[]): ChaosStep[] =>
  written.map(({ afterMs, text }) => ({ afterMs, bytes: encoder.encode(text) }))

/** What has no pause between. */
function join(steps: readonly ChaosStep[]): ChaosStep[] {
  const joined: ChaosStep[] = []
  for (const step of steps) {
    const last = joined.at(-1)
    if (!last || step.afterMs > 0) joined.push(step)
    else joined[joined.length - 1] = { ...last, bytes: Buffer.concat([last.bytes, step.bytes]) }
  }
  return joined
}

/** Long bodies are cut into single bytes only at their start, so that a plan stays quick. */
function sizesOf(choice: Choice, length: number, way: 'single bytes' | 'random'): number[] {
  const sizes: number[] = []
  let left = length
  while (left > 0) {
    const wanted = way === 'single bytes' ? (sizes.length < 200 ? 1 : 64) : choice.between(1, 60)
    const size = Math.min(left, wanted)
    sizes.push(size)
    left -= size
  }
  return sizes
}

export const headPause = (choice: Choice, pauses: boolean): number =>
  pauses && choice.happens(0.1) ? choice.between(1, 120_000) : 0

/** What proxies do to a reply, whatever it holds. */
export function planTransport(choice: Choice): Pick<ChaosReply, 'informational' | 'compression'> {
  const informational = choice.happens(0.3) ? choice.pick([[100], [102], [103], [100, 100], [103, 100]]) : []
  const compression = choice.happens(0.4)
    ? choice.pick([
        ['gzip'],
        ['gzip'],
        ['deflate'],
        ['raw deflate'],
        ['br'],
        ['zstd'],
        ['gzip', 'br'],
        ['x-gzip'],
      ])
    : []
  if (informational.length > 0) choice.note(`1xx: ${informational}`)
  if (compression.length > 0) choice.note(`compressed: ${compression}`)
  return { informational, compression }
}
