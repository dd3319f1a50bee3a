import {
  type KoboldSimulator,
  type OpenAISimulator,
  startKoboldSimulator,
  startOpenAISimulator,
} from '@ai-ticket/testkit'
import { MODELS } from './gateway.ts'

/** The two servers behind every gateway, and how they are brought to rest between two rows. */
export interface Range extends AsyncDisposable {
  readonly openai: OpenAISimulator
  readonly kobold: KoboldSimulator
  /** No script, no fault, nothing under way. Rejects when it does not come to rest within 30 s. */
  rest(): Promise<void>
}

export interface RangePorts {
  /** 0: a free one. */
  readonly openai: number
  readonly kobold: number
}

export const TOKENS_PER_SECOND = 100
/** In tokens; four characters make one. */
export const KOBOLD_CONTEXT = 1024
/** No row asks for more. */
const ANSWER = 'All that was asked is answered here, word by word. '.repeat(60)
const PATIENCE = { timeoutMs: 30_000 }

export async function startRange({ openai: openaiPort, kobold: koboldPort }: RangePorts): Promise<Range> {
  const openai = await startOpenAISimulator({
    port: openaiPort,
    models: [MODELS.openai],
    tokensPerSecond: TOKENS_PER_SECOND,
    answer: () => ANSWER,
  })
  const kobold = await startKoboldSimulator({
    port: koboldPort,
    model: `koboldcpp/${MODELS.kobold}`,
    contextLength: KOBOLD_CONTEXT,
    tokensPerSecond: TOKENS_PER_SECOND,
    answer: () => ANSWER,
  })
  return {
    openai,
    kobold,
    async rest() {
      openai.script(() => undefined)
      await kobold.setFaults([])
      await openai.waitFor(({ running }) => running === 0, PATIENCE)
      await kobold.waitFor(({ generating, waiting }) => !generating && waiting === 0, PATIENCE)
    },
    async [Symbol.asyncDispose]() {
      await openai.close()
      await kobold.close()
    },
  }
}
