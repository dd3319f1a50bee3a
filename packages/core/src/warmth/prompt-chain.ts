import { hash as digestOf } from 'node:crypto'
import { type Prompt, type Turn, turnText } from '../contract/prompt.ts'

/**
 * The beginnings of a prompt, shortest first: each link stands for all of it up to a place. Two prompts begin alike as
 * far as their links are equal. It holds hashes under a key of this process, and no text.
 */
export type PromptChain = readonly ChainLink[]

interface ChainLink {
  readonly hash: string
  /** Likely tokens from the beginning of the prompt to here. */
  readonly tokens: number
  /** A turn ends here. */
  readonly endsTurn: boolean
}

export const EMPTY_CHAIN: PromptChain = []

/** What stands before the turns, as far as a server shows it to its model: another of these is another prompt. */
interface ChainRoot {
  readonly model: string | undefined
  readonly schema: unknown
}

export interface Chainer {
  chainOf(prompt: Prompt, root: ChainRoot): PromptChain
  /** With a turn more: the next prompt of a conversation begins with the answer to the last one. */
  extend(chain: PromptChain, turn: Turn): PromptChain
}

/**
 * A link ends with each turn, and within a long turn every 256 characters: the instructions and the mail of an
 * automation may come in one turn. Further on the links grow longer, so that a megabyte has a hundred of them.
 */
const SHORTEST_LINK = 256
const GROWTH = 16
/** As everywhere else where an estimate will do. */
const CHARACTERS_PER_TOKEN = 4

/** @param random for the key: numbers from 0 up to 1 */
export function createChainer(random: () => number): Chainer {
  const key = Array.from({ length: 8 }, () => random().toString(36).slice(2)).join('')
  const link = (before: string, text: string) => digestOf('sha1', `${key}${before}${text}`, 'base64')
  function* linksOf(turns: readonly Turn[], from: Pick<ChainLink, 'hash' | 'tokens'>): Generator<ChainLink> {
    let { hash, tokens } = from
    for (const turn of turns) {
      const text = textOf(turn)
      let head = `${turn.role}\n`
      for (let start = 0; start === 0 || start < text.length; ) {
        const end = Math.min(text.length, start + Math.max(SHORTEST_LINK, Math.floor(start / GROWTH)))
        const part = text.slice(start, end)
        hash = link(hash, head + part)
        tokens += part.length / CHARACTERS_PER_TOKEN
        yield { hash, tokens, endsTurn: end === text.length }
        head = ''
        start = Math.max(end, 1)
      }
    }
  }
  return {
    chainOf({ turns, parameters }, { model, schema }) {
      const tools = parameters.tools ? jsonOf(parameters.tools) : ''
      const hash = link('', [tools, jsonOf(schema), model].join('\n'))
      const root = { hash, tokens: tools.length / CHARACTERS_PER_TOKEN }
      return [...linksOf(turns, root)]
    },
    extend(chain, turn) {
      const last = chain.at(-1)
      return last ? [...chain, ...linksOf([turn], last)] : EMPTY_CHAIN
    },
  }
}

/** Tokens that both begin with. */
export function sharedTokens(one: PromptChain, other: PromptChain): number {
  let tokens = 0
  for (const [index, link] of one.entries()) {
    if (link.hash !== other[index]?.hash) break
    tokens = link.tokens
  }
  return tokens
}

/** Whether prompts that share so much are known to part there, and not only somewhere within the next link. */
export const partsAtTurn = (chain: PromptChain, tokens: number): boolean =>
  chain.some((link) => link.endsTurn && link.tokens === tokens)

export const tokensOf = (chain: PromptChain): number => chain.at(-1)?.tokens ?? 0

/** An answer comes back as the caller got it: without white space at its ends. */
function textOf(turn: Turn): string {
  const text = turn.role === 'assistant' ? turnText(turn).trim() : turnText(turn)
  const images = Array.isArray(turn.content) && turn.content.some(({ type }) => type !== 'text')
  const rest = images ? [turn.content, turn.tool_calls] : turn.tool_calls
  return rest === undefined || (Array.isArray(rest) && rest.length === 0) ? text : text + jsonOf(rest)
}

/** What has no JSON is refused when it is to be sent. */
function jsonOf(value: unknown): string {
  try {
    return JSON.stringify(value) ?? ''
  } catch {
    return ''
  }
}
