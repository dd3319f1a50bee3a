import type { Logger } from '@ai-ticket/core'
import {
  type CallbackObserver,
  type CallbackPolicy,
  type CallbackSender,
  createCallbackPolicy,
  createCallbackSender,
  type TicketStore,
} from '@ai-ticket/tickets'
import type { Config } from '../config/config.ts'
import { VERSION } from '../version.ts'

export interface CallbackParts {
  readonly policy: CallbackPolicy
  readonly sender: CallbackSender
}

interface CallbackSurroundings {
  readonly store: TicketStore
  readonly logger: Logger
  /** Undefined: nothing is counted. */
  readonly observer: CallbackObserver | undefined
}

/** Undefined: no callbacks are allowed. What an earlier configuration left to be sent waits. */
export function composeCallbacks(
  { callbackAllow: allow, callbackPrivate, callbackSecrets: secrets, callbackBody: content }: Config,
  { store, logger, observer }: CallbackSurroundings,
): CallbackParts | undefined {
  if (allow.length === 0) return undefined
  const policy = createCallbackPolicy({ allow, privateNetworks: callbackPrivate })
  const sender = createCallbackSender({
    store,
    policy,
    secrets,
    content,
    logger,
    version: VERSION,
    ...(observer && { observer }),
  })
  return { policy, sender }
}
