import { EMPTY_CHAIN, type PromptChain, sharedTokens } from './prompt-chain.ts'

/** What one backend is believed to keep of the prompts that it has read. A value. */
export interface WarmPrompts {
  /** How many prompts it keeps, those that it works on included. */
  readonly keeps: number
  /** The one used last stands last. */
  readonly chains: readonly PromptChain[]
}

export const nothingWarm = (keeps: number): WarmPrompts => ({ keeps, chains: [] })

/** Likely tokens of a prompt that need not be read. */
export function warmTokens({ chains }: WarmPrompts, prompt: PromptChain): number {
  let most = 0
  if (prompt.length === 0) return most
  for (const chain of chains) most = Math.max(most, sharedTokens(chain, prompt))
  return most
}

/** A prompt is being read: in place of the one that it goes on with, else of the one that was used longest ago. */
export function afterReading({ keeps, chains }: WarmPrompts, prompt: PromptChain): WarmPrompts {
  const others = chains.filter((chain) => !goesOn(prompt, chain))
  return { keeps, chains: keeps === 0 ? [] : [...others, prompt].slice(-keeps) }
}

/** The answer stands behind its prompt. */
export function afterAnswer(warm: WarmPrompts, prompt: PromptChain, withAnswer: PromptChain): WarmPrompts {
  return afterReading(afterLoss(warm, prompt), withAnswer)
}

/** The prompt was not read to its end, or not at all. */
export const afterLoss = ({ keeps, chains }: WarmPrompts, prompt: PromptChain): WarmPrompts => ({
  keeps,
  chains: chains.filter((chain) => chain !== prompt),
})

/** What reading this prompt would push out. */
export function pushedOut({ keeps, chains }: WarmPrompts, prompt: PromptChain): PromptChain {
  const others = chains.filter((chain) => !goesOn(prompt, chain))
  return (others.length >= keeps ? others[0] : undefined) ?? EMPTY_CHAIN
}

const goesOn = (prompt: PromptChain, chain: PromptChain): boolean => {
  const last = chain.at(-1)
  return last === undefined || prompt[chain.length - 1]?.hash === last.hash
}
