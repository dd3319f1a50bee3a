import * as v from 'valibot'
import { type Clock, withTimeout } from '../../contract/clock.ts'
import type { HttpCall, HttpClient } from '../http/client.ts'
import { isRefused } from '../http/errors.ts'
import { abortReply, perfReply } from './wire.ts'

/** What a question beside a running generation brought. Any HTTP answer is an answer, whatever its status. */
export type SideAnswer<Value> =
  | { readonly as: 'answered'; readonly value: Value }
  | { readonly as: 'refused' }
  /** The connection broke: something is there, and it is not waiting to be woken. */
  | { readonly as: 'broken' }
  | { readonly as: 'silent' }

export type AbortAnswer =
  /** It ran and was told to stop, or something waits, perhaps this one, and stops when its turn comes. */
  | 'found'
  /** Neither running nor waiting, or not read yet. */
  | 'not_found'
  | 'unclear'

export interface PerfAnswer {
  readonly state: 'idle' | 'busy' | 'unclear'
  /** Calls that wait in the server, without the running one; undefined: it does not say. */
  readonly queue: number | undefined
  /** Why the last finished generation of anybody ended, where it says so. */
  readonly lastEnd: 'limit' | 'end_of_text' | 'stop_string' | undefined
  /** How many tokens that generation had. */
  readonly lastTokens: number | undefined
  /** How long it took to read a token of its prompt, and to write one, in milliseconds. */
  readonly lastTimes?: { readonly readMs: number; readonly writtenMs: number }
}

interface AskOptions {
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

/** The endpoints of KoboldCPP that never wait behind a generation. */
export interface SideChannel {
  /** Without a key whatever runs is stopped, if nobody waits. */
  abort(key: string | undefined, options: AskOptions): Promise<SideAnswer<AbortAnswer>>
  perf(options: AskOptions): Promise<SideAnswer<PerfAnswer>>
}

export function createSideChannel(client: HttpClient, clock: Clock): SideChannel {
  const ask = async <Value>(
    call: HttpCall,
    read: (reply: unknown) => Value,
    options: AskOptions,
  ): Promise<SideAnswer<Value>> => {
    return withTimeout(clock, options, async (limited, isLate): Promise<SideAnswer<Value>> => {
      try {
        const response = await client.send({ ...call, signal: limited })
        return { as: 'answered', value: read(parseJson(await response.text())) }
      } catch (error) {
        if (isRefused(error)) return { as: 'refused' }
        return { as: isLate() || options.signal.aborted ? 'silent' : 'broken' }
      }
    })
  }
  return {
    abort: (key, options) =>
      ask(
        {
          method: 'POST',
          path: '/api/extra/abort',
          body: JSON.stringify(key === undefined ? {} : { genkey: key }),
        },
        readAbort,
        options,
      ),
    perf: (options) => ask({ method: 'GET', path: '/api/extra/perf' }, readPerf, options),
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function readAbort(reply: unknown): AbortAnswer {
  const { success, output } = v.safeParse(abortReply, reply)
  if (!success) return 'unclear'
  return String(output.success) === 'true' ? 'found' : 'not_found'
}

function readPerf(reply: unknown): PerfAnswer {
  const { success, output } = v.safeParse(perfReply, reply)
  if (!success) return { state: 'unclear', queue: undefined, lastEnd: undefined, lastTokens: undefined }
  const { idle, queue, stop_reason, last_token_count, last_process, last_eval } = output
  return {
    state: typeof idle !== 'number' ? 'unclear' : idle === 1 ? 'idle' : 'busy',
    queue: queue ?? undefined,
    lastEnd: STOP_REASONS[stop_reason ?? -1],
    lastTokens: last_token_count ?? undefined,
    ...(typeof last_process === 'number' &&
      typeof last_eval === 'number' && { lastTimes: { readMs: last_process, writtenMs: last_eval } }),
  }
}

/** Facts 23 and 66. An abort counts as the limit. */
const STOP_REASONS: Readonly<Record<number, PerfAnswer['lastEnd']>> = {
  0: 'limit',
  1: 'end_of_text',
  2: 'stop_string',
}
