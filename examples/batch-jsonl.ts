// A file of events, one JSON object a line, a few at a time: node examples/batch-jsonl.ts events.jsonl > outcomes.jsonl
// Every line ends in one line of output: the outcome, with the number of the line it came from. One bad line costs the
// others nothing. This is how a program of your own does it; `ai-ticket batch` is the same as a command, and goes on after a
// kill where it stopped. It asks the KoboldCPP that KOBOLDCPP_API_URL names, or a simulator that it starts itself.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { createDispatcher, createKoboldBackend, type Outcome } from '@ai-ticket/core'
import { startKoboldSimulator } from '@ai-ticket/testkit'

// More than the backend has slots: the next event waits at the desk, not in this file. More would only fill its line.
const IN_HAND = 4

const simulator = process.env.KOBOLDCPP_API_URL ? undefined : await startKoboldSimulator()
const url = process.env.KOBOLDCPP_API_URL ?? simulator?.url ?? ''
const file = process.argv[2] ?? new URL('./events/sample.jsonl', import.meta.url)

type Line = { number: number; text: string }

let inHand = 0
let mostInHand = 0
const counts = { lines: 0, answered: 0, failed: 0 }

const dispatcher = createDispatcher({ backends: [createKoboldBackend({ url })] })
try {
  // All workers take from one reader, so no more than IN_HAND lines are in memory, however long the file is.
  const lines = readLines(file)
  await Promise.all(Array.from({ length: IN_HAND }, () => work(lines)))
} finally {
  await dispatcher.close()
  await simulator?.close()
}
process.stderr.write(`${counts.lines} lines, ${counts.answered} answered, ${counts.failed} failed\n`)
assert.equal(counts.answered + counts.failed, counts.lines)
assert.ok(mostInHand <= IN_HAND, `${mostInHand} events were in hand at once`)

async function work(lines: AsyncGenerator<Line>): Promise<void> {
  for (let next = await lines.next(); !next.done; next = await lines.next()) {
    mostInHand = Math.max(mostInHand, ++inHand)
    const outcome = await answer(next.value.text)
    inHand--
    counts.lines++
    if (outcome.error === undefined) counts.answered++
    else counts.failed++
    const line = `${JSON.stringify({ line: next.value.number, ...outcome })}\n`
    if (!process.stdout.write(line)) await once(process.stdout, 'drain')
  }
}

async function answer(text: string): Promise<Outcome | { error: 'invalid_request'; details: string }> {
  let event: unknown
  try {
    event = JSON.parse(text)
  } catch {
    return { error: 'invalid_request', details: 'The line is not valid JSON.' }
  }
  return await dispatcher.onEvent(event, { caller: 'batch' })
}

async function* readLines(path: string | URL): AsyncGenerator<Line> {
  let number = 0
  for await (const text of createInterface({
    input: createReadStream(path),
    crlfDelay: Number.POSITIVE_INFINITY,
  })) {
    number++
    if (text.trim() !== '') yield { number, text }
  }
}
