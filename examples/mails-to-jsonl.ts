// A folder of mails becomes JSONL, one line of checked data a mail: node examples/mails-to-jsonl.ts mails > mails.jsonl
// A mail that no answer fits goes to stderr with the reason, and costs the others nothing.
// It asks the KoboldCPP that KOBOLDCPP_API_URL names, or a simulator that it starts itself.
import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createDispatcher, createKoboldBackend } from '@ai-ticket/core'
import { startKoboldSimulator } from '@ai-ticket/testkit'
import * as v from 'valibot'

const IN_HAND = 4

const Mail = v.object({
  sender: v.pipe(v.string(), v.email()),
  wants_answer: v.boolean(),
  order: v.nullable(v.string()),
})

const simulator = process.env.KOBOLDCPP_API_URL
  ? undefined
  : await startKoboldSimulator({ ignoreSchema: true, answer: ({ messages }) => readLikeAModel(messages) })
const url = process.env.KOBOLDCPP_API_URL ?? simulator?.url ?? ''
const folder = process.argv[2] ?? join(import.meta.dirname, 'mails')

const counts = { mails: 0, written: 0, failed: 0 }
const dispatcher = createDispatcher({ backends: [createKoboldBackend({ url })] })
try {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.txt')).toSorted()
  await Promise.all(Array.from({ length: IN_HAND }, () => work(names)))
} finally {
  await dispatcher.close()
  await simulator?.close()
}
process.stderr.write(`${counts.mails} mails, ${counts.written} written, ${counts.failed} failed\n`)
assert.equal(counts.written + counts.failed, counts.mails)

async function work(names: string[]): Promise<void> {
  for (let name = names.shift(); name !== undefined; name = names.shift()) {
    counts.mails++
    const content = await readFile(join(folder, name), 'utf8')
    const outcome = await dispatcher.onEvent({ content, id: name }, { schema: Mail, caller: 'mails' })
    if (outcome.error) {
      counts.failed++
      process.stderr.write(`${name}: ${outcome.error}: ${outcome.details}\n`)
    } else {
      counts.written++
      process.stdout.write(`${JSON.stringify({ file: name, ...outcome.data })}\n`)
    }
  }
}

/** The simulator is no model; this reads the mail by rules and answers as models do, in a fence. */
function readLikeAModel(messages: readonly unknown[] = []): string {
  const mail = JSON.stringify(messages)
  const answer = {
    sender: /From: ([\w@.]+)/.exec(mail)?.[1],
    wants_answer: !mail.includes('No answer needed'),
    order: /order (\d+)/.exec(mail)?.[1] ?? null,
  }
  return `Here is what I found:\n\`\`\`json\n${JSON.stringify(answer, null, 2)}\n\`\`\``
}
