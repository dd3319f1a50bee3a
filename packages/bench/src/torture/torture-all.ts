import { setTimeout as sleep } from 'node:timers/promises'
import type { DoorName } from './gateways/doors.ts'
import { type Gateway, MODELS } from './gateways/gateway.ts'
import {
  type StartedGateway,
  type StartPlace,
  startAiSdk,
  startOurs,
  startPortkey,
} from './gateways/gateways.ts'
import { type RangePorts, startRange } from './gateways/range.ts'
import { chat } from './rows/chat.ts'
import { readReply } from './rows/read-reply.ts'
import { type Score, type TortureOptions, torture } from './run-torture.ts'

export interface TortureAllOptions extends TortureOptions {
  readonly folder: string
  /** Only those whose name holds this text. Empty: all. */
  readonly only: string
  /** By which API the rows go. Default: OpenAI's chat; by another one, only ours is there to ask. */
  readonly door?: DoorName
}

type Start = (place: StartPlace) => Promise<StartedGateway | string>

const STARTS: Readonly<Record<string, Start>> = {
  'ai-ticket-server': startOurs,
  '@portkey-ai/gateway': startPortkey,
  'ai-sdk': startAiSdk,
}

/** Ours and the others, one after the other, each in front of servers of its own. */
export async function tortureAll({
  folder,
  only,
  door = 'chat',
  ...options
}: TortureAllOptions): Promise<Score[]> {
  const scores: Score[] = []
  for (const [name, start] of Object.entries(STARTS)) {
    if (!name.includes(only) || (door !== 'chat' && start !== startOurs)) continue
    await using range = await startRange({ openai: 0, kobold: 0 })
    const gateway = await start({ range, folder, door })
    if (typeof gateway === 'string') {
      options.say(`${name} is not there to compare with: ${gateway}`)
      continue
    }
    await using _ends = gateway
    scores.push(await torture(gateway, range, options))
  }
  return scores
}

export interface TortureForeignOptions extends TortureOptions {
  readonly url: string
  readonly ports: RangePorts
  readonly model?: string | undefined
  readonly koboldModel?: string | undefined
  readonly authorization?: string | undefined
  /** Default: OpenAI's chat. */
  readonly door?: DoorName
  /** How long it may take until an ordinary call is answered. Default 30 s. */
  readonly patienceMs?: number
}

/** A gateway that its user has started, and set up for the simulated servers. */
export async function tortureForeign(options: TortureForeignOptions): Promise<Score> {
  const { url, ports, koboldModel, authorization, door = 'chat', model = MODELS.openai } = options
  await using range = await startRange(ports)
  options.say(
    `The OpenAI-like server is ${range.openai.url}/v1: the gateway must ask it for the model "${model}".\n` +
      `The KoboldCPP is ${range.kobold.url}/v1: ${
        koboldModel === undefined
          ? 'its rows are left out; --kobold-model names the model by which the gateway asks it.'
          : `the gateway must ask it for the model "${koboldModel}".`
      }`,
  )
  const headers: Record<string, string> = authorization === undefined ? {} : { authorization }
  const gateway: Gateway = {
    name: url,
    version: '',
    url,
    door,
    target(backend) {
      const name = backend === 'openai' ? model : koboldModel
      return name === undefined ? undefined : { model: name, headers }
    },
  }
  await untilItAnswers(gateway, options)
  // Awaited here: the servers end with this function.
  return await torture(gateway, range, options)
}

/** A gateway that has found the servers away needs a moment. Rejects when it does not answer an ordinary call. */
async function untilItAnswers(
  gateway: Gateway,
  { patienceMs = PATIENCE_MS }: TortureForeignOptions,
): Promise<void> {
  for (const backend of ['openai', 'kobold'] as const) {
    if (gateway.target(backend) === undefined) continue
    const endAt = performance.now() + patienceMs
    for (;;) {
      const reply = await chat(gateway, { backend, mark: 'hello' })
      if (readReply(reply).as === 'answer') break
      if (performance.now() > endAt) {
        const status = reply.status === 0 ? 'nothing' : `status ${reply.status}`
        throw new Error(
          `${gateway.url} answers ${status} to an ordinary call of the ${backend} server. Is it set up for it?`,
        )
      }
      await sleep(1000)
    }
  }
}

const PATIENCE_MS = 30_000
