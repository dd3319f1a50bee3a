import { countTokens } from '../wire/simulated-tokens.ts'

type Body = Readonly<Record<string, unknown>>

/** The prompt as the simulated model sees it: messages stay the JSON they came as. */
export const writePrompt = ({ prompt, messages }: Body): string =>
  typeof prompt === 'string' ? prompt : JSON.stringify(messages ?? '')

/** By the simulator's count. */
export const promptTokensOf = (body: Body): number => countTokens(writePrompt(body))
