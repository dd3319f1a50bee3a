import type { GenerationEvent, GenerationOptions, GenerationRequest } from '../../contract/backend.ts'
import { aborted, statusError } from '../http/errors.ts'
import { guardCall, openCall } from '../http/open-call.ts'
import { readWhole } from '../http/read-reply.ts'
import { checkBodySize, checkRequest, writeBody } from '../http/request-body.ts'
import type { OpenAIEndpoint } from './endpoints.ts'
import type { OpenAIContext, Run } from './openai-call.ts'
import { waitFor } from './openai-call.ts'
import { lookForModels } from './probe.ts'
import { wholeAnswer } from './read-answer.ts'
import { learnDialect } from './request-body.ts'
import { streamAnswer } from './stream-answer.ts'

/** One call of one endpoint, by the duties that `Backend` names. Closing the connection stops these servers. */
export async function* generate(
  context: OpenAIContext,
  endpoint: OpenAIEndpoint,
  request: GenerationRequest,
  options: GenerationOptions,
): AsyncGenerator<GenerationEvent> {
  const place = { backend: context.name, endpoint: endpoint.name }
  checkRequest(context.name, endpoint, request)
  if (context.models.needsLook(request.model)) await lookForModels(context, options.signal)
  for (;;) {
    if (options.signal.aborted) throw aborted(place, 'not_sent')
    const run = openRun(context, endpoint, request, options)
    try {
      const response = await waitFor(run, run.call.response)
      if (!response.ok) await refused(run, response)
      else if (options.stream) return yield* streamAnswer(run, response)
      else return yield await wholeAnswer(run, response)
    } finally {
      run.guard.release()
      run.call.hangUp()
    }
  }
}

function openRun(
  context: OpenAIContext,
  endpoint: OpenAIEndpoint,
  request: GenerationRequest,
  { signal, stream }: GenerationOptions,
): Run {
  const { clock, client, dialect, root, template, tokenTimeoutMs } = context
  const place = { backend: context.name, endpoint: endpoint.name }
  const model = context.models.toSend(request.model)
  const body = writeBody(place, endpoint.body(request, { dialect, stream, template, model }))
  checkBodySize(place, body)
  const path = root.api + endpoint.path
  const call = openCall(client, { path, body, ...(request.headers && { headers: request.headers }) })
  const guard = guardCall({ clock, signal, tokenTimeoutMs })
  return { context, place, endpoint, request, call, guard, dialect }
}

/** Returns where the same request in another dialect may be taken; else throws. */
async function refused(run: Run, response: Response): Promise<void> {
  const { context, place } = run
  const { text } = await waitFor(run, readWhole(response))
  const { status, headers } = response
  const learned = learnDialect(run.dialect, status, text)
  if (!learned) throw statusError(place, { status, headers, text, wallTimeMs: context.clock.wallTime() })
  context.dialect = { ...context.dialect, ...learned }
}
