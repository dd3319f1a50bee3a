import type { BackendKind, Gateway } from '../gateways/gateway.ts'
import { chat } from './chat.ts'
import { type Finding, notApplicable } from './finding.ts'
import { readReply } from './read-reply.ts'

/** Why nothing can be said of its streams; undefined where a short one arrives. */
export async function streamProblem(gateway: Gateway, backend: BackendKind): Promise<Finding | undefined> {
  const reply = await chat(gateway, { backend, mark: 'can it stream', stream: true })
  const end = readReply(reply)
  if (end.as === 'answer' && end.text !== '') return undefined
  return notApplicable(`it does not stream at all: status ${reply.status}`)
}
