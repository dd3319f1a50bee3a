import type { Dispatcher } from '@ai-ticket/core'
import * as v from 'valibot'
import { keyWith } from '../config/api-keys.ts'
import type { ResolvedConfig } from '../config/config.ts'
import { askServer } from '../program/ask-server.ts'
import { findServer, openDesk } from '../program/command-desk.ts'
import { EXIT } from '../program/exit-codes.ts'
import { terminalText } from '../program/terminal-text.ts'
import { type Ask, askHere } from './ask-here.ts'
import { askThere } from './ask-there.ts'
import { BatchProblem } from './batch-problem.ts'
import type { CallNotes } from './job.ts'

interface Asker extends AsyncDisposable {
  readonly ask: Ask
  /** How many lines, asked at once, keep every slot busy. */
  readonly slots: number
}

/** Assumed of a server that does not tell this key how many it has. */
const UNKNOWN_SLOTS = 2

/** What is read of `GET /backends`. */
const BackendsReply = v.object({ backends: v.array(v.object({ concurrency: v.number() })) })

interface AskerOptions {
  readonly resolved: ResolvedConfig
  readonly calls: CallNotes
  /** Aborted: what is generated is stopped at its backend. */
  readonly leaving: AbortSignal
}

/** The dispatcher of this configuration, or a server. Throws a `BatchProblem`. */
export async function openAsker({ resolved, calls, leaving }: AskerOptions): Promise<Asker> {
  const server = await findServer(resolved)
  if (server !== undefined) return await openServer(resolved, server)
  const desk = await openDesk(resolved)
  // `openDesk` has printed what is wrong.
  if (desk === undefined) throw new BatchProblem('', EXIT.badConfiguration)
  const { dispatcher } = desk
  leaving.addEventListener('abort', () => void dispatcher.close())
  const stopping = stopLeftCalls(dispatcher, calls)
  return {
    ask: askHere(dispatcher, calls),
    slots: slotsOf(dispatcher.report().backends),
    async [Symbol.asyncDispose]() {
      await stopping
      await desk[Symbol.asyncDispose]()
    },
  }
}

async function openServer({ config: { apiKeys } }: ResolvedConfig, url: string): Promise<Asker> {
  const ask = askThere({ url, apiKey: keyWith(apiKeys, 'events') })
  const reader = keyWith(apiKeys, 'read') ?? keyWith(apiKeys, 'events')
  const reply = await askServer(url, reader, { method: 'GET', path: '/backends', reply: BackendsReply })
  const isHidden = !reply.ok && reply.error === 'forbidden'
  if (!reply.ok && !isHidden) {
    const exitCode = reply.error === 'unauthorised' ? EXIT.noPermission : EXIT.unavailable
    throw new BatchProblem(terminalText(reply.message), exitCode)
  }
  const slots = reply.ok ? slotsOf(reply.body.backends) : UNKNOWN_SLOTS
  // Twice as many: while an answer is on its way here, the server has the next line already.
  return { ask, slots: slots * 2, [Symbol.asyncDispose]: async () => {} }
}

const slotsOf = (backends: readonly { readonly concurrency: number }[]): number =>
  Math.max(
    1,
    backends.reduce((sum, { concurrency }) => sum + concurrency, 0),
  )

/**
 * Stops generations that a killed run has left, for nobody waits for them. Resolves when all have stopped or nothing more
 * can be done; the notes are gone then.
 */
async function stopLeftCalls(
  dispatcher: Pick<Dispatcher, 'abandon'>,
  { left, remove }: CallNotes,
): Promise<void> {
  await Promise.allSettled(left.map((call) => dispatcher.abandon(call)))
  remove(left)
}
