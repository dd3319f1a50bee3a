import { setTimeout as sleep } from 'node:timers/promises'
import { WITH_SCHEMAS } from '../gateways/doors.ts'
import type { BackendKind, Gateway } from '../gateways/gateway.ts'
import { KOBOLD_CONTEXT, type Range } from '../gateways/range.ts'
import { chat } from './chat.ts'
import { type Finding, pass, passIf, type Row, type Subject } from './finding.ts'
import { readReply } from './read-reply.ts'

const CALLERS = 24

async function crowd(subject: Subject, backend: BackendKind): Promise<Finding> {
  const { gateway, range } = subject
  const seen = watchCrowd(range, backend)
  const ends = await Promise.all(
    Array.from({ length: CALLERS }, (_, caller) => chat(gateway, { backend, mark: `crowd-${caller}-` })),
  )
  seen.stop()
  const answered = ends.filter((end) => readReply(end).as === 'answer').length
  const told = `${answered} of ${CALLERS} answered, at most ${seen.most()} at once at the server`
  return passIf(answered === CALLERS && seen.most() <= 1, told)
}

/** The simulators ask whoever waits whenever something has happened; nobody is ever content here until it stops. */
function watchCrowd({ openai, kobold }: Range, backend: BackendKind) {
  let most = 0
  let isOver = false
  const count = () => (backend === 'openai' ? openai.running : (kobold.generating ? 1 : 0) + kobold.waiting)
  const watch = () => {
    if (!isOver) most = Math.max(most, count())
    return isOver
  }
  const watching = backend === 'openai' ? openai.waitFor(watch, LIMIT) : kobold.waitFor(watch, LIMIT)
  // It is there for the numbers it sees: a row that takes longer than its time fails by itself.
  watching.catch(() => undefined)
  return {
    most: () => most,
    stop() {
      isOver = true
    },
  }
}

const LIMIT = { timeoutMs: 60_000 }

async function cutPrompt({ gateway }: Subject): Promise<Finding> {
  const prompt = 'This is what matters: the answer is no. '.repeat((KOBOLD_CONTEXT * 8) / 40)
  const chatted = await chat(gateway, { backend: 'kobold', mark: 'cut-prompt', prompt })
  const tokens = `${Math.ceil(prompt.length / 4)} tokens for a context of ${KOBOLD_CONTEXT}`
  if (chatted.status >= 400 && chatted.status < 500) return pass(`${tokens}: refused with ${chatted.status}`)
  const isSaid = /truncated/i.test(chatted.text) || (await isRecorded(gateway))
  return passIf(isSaid, `${tokens}: status ${chatted.status}, ${isSaid ? 'and said so' : 'without a word'}`)
}

/** KoboldCPP's API has no word for it, and its clients count on the cut: there the gateway has to know what it did. */
async function isRecorded({ door, ...gateway }: Gateway): Promise<boolean> {
  if (door !== 'kobold') return false
  const { url = gateway.url } = gateway.target('kobold') ?? {}
  for (let look = 0; look < LOOKS; look++) {
    const reply = await fetch(`${url}/tickets?kind=event&limit=1`)
    if (/"prompt_truncated":true/.test(await reply.text())) return true
    await sleep(LOOK_AGAIN_MS)
  }
  return false
}

/** A history is written behind the answer. */
const LOOKS = 20
const LOOK_AGAIN_MS = 100

const SCHEMA = {
  type: 'object',
  properties: { city: { type: 'string' } },
  required: ['city'],
  additionalProperties: false,
}

async function ignoredSchema({ gateway }: Subject): Promise<Finding> {
  const given = { backend: 'openai', mark: 'schema', schema: SCHEMA, maxTokens: 40 } as const
  const chatted = await chat(gateway, given)
  const end = readReply(chatted)
  if (end.as !== 'answer') return pass(`the server answers prose; refused with status ${chatted.status}`)
  return passIf(
    isPlace(end.text),
    `the server answers prose; handed on as an answer: "${end.text.slice(0, 20)}…"`,
  )
}

function isPlace(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && 'city' in value
  } catch {
    return false
  }
}

export const ANSWER_ROWS: readonly Row[] = [
  {
    name: '24 callers, an OpenAI-like server with one slot',
    backend: 'openai',
    run: (s) => crowd(s, 'openai'),
  },
  { name: '24 callers, a KoboldCPP', backend: 'kobold', run: (s) => crowd(s, 'kobold') },
  { name: 'a prompt that would be cut is noticed', backend: 'kobold', run: cutPrompt },
  {
    name: 'an answer that ignores its schema is noticed',
    backend: 'openai',
    doors: WITH_SCHEMAS,
    run: ignoredSchema,
  },
]
