import { BackendError } from '../../contract/backend.ts'
import type { FinishReason } from '../../contract/outcome.ts'
import { isCutOff } from './completion-wire.ts'
import { at, type ErrorPlace } from './errors.ts'
import type { RawAnswer } from './read-completion.ts'

/** What a server's own word for the end of an answer means. */
type Ending = FinishReason | 'stopped' | 'failed'

/** The words of most servers, so that most answers need no look at how a word is made. */
const WORDS: Readonly<Record<string, Ending>> = {
  stop: 'stop',
  length: 'length',
  tool_calls: 'tool_calls',
  function_call: 'tool_calls',
  content_filter: 'content_filter',
  abort: 'stopped',
  error: 'failed',
}

/** Somebody ended it before it was whole: vLLM's `abort`, DeepSeek's `insufficient_system_resource`, and their kind. */
const STOPPED =
  /abort|cancel|interrupt|terminat|kill|shut_?down|preempt|evict|disconnect|unload|time_?(?:d_?)?out|time_limit|insufficient/i
const FAILED = /error|fail|exception/i
/** A limit of tokens: of the request (`max_tokens` of some gateways) or of the context. */
const LENGTH = /length|max_?(?:output_?|new_?)?tokens|token_limit|context/i
const FILTER = /filter|safety|sensitive|refusal|moderation|blocklist|prohibited|recitation/i

/** An unknown word is a `stop`, as is none where the stream ended in good order. */
function readFinishReason(raw: string | null): Ending {
  if (raw === null) return 'stop'
  const known = WORDS[raw]
  if (known) return known
  if (STOPPED.test(raw)) return 'stopped'
  if (FAILED.test(raw)) return 'failed'
  if (FILTER.test(raw)) return 'content_filter'
  return LENGTH.test(raw) ? 'length' : 'stop'
}

/** Throws where an answer says itself that it is none: the generation failed, or somebody stopped it. */
export function refuseUnfinished({ rawFinishReason, text }: RawAnswer, place: ErrorPlace): void {
  const ending = readFinishReason(rawFinishReason)
  const partial = text === '' ? {} : { partial: text }
  if (ending === 'stopped') {
    const message = `${at(place)} reports that the generation was stopped before it was whole (${named(rawFinishReason)}).`
    throw new BackendError('interrupted', message, partial)
  }
  if (ending === 'failed') {
    throw new BackendError('wrong_shape', `${at(place)} reports that the generation failed.`, partial)
  }
}

/** A reason is a word of the server; what is longer may be anything. */
const named = (reason: string | null): string =>
  reason !== null && /^[\w -]{1,40}$/.test(reason) ? `finish reason ${reason}` : 'by its finish reason'

/**
 * The finish reason in the contract's words, as the server gave it. Calls of tools are their own reason, unless they
 * were cut off or withheld.
 */
export function endOf({ rawFinishReason, toolCalls }: RawAnswer): FinishReason {
  const ending = readFinishReason(rawFinishReason)
  if (ending === 'content_filter') return ending
  if (toolCalls?.length) return ending === 'length' && isCutOff(toolCalls) ? 'length' : 'tool_calls'
  return ending === 'length' ? 'length' : 'stop'
}
