import type { GenerationEvent, GenerationOptions, GenerationRequest } from '../../contract/backend.ts'
import { aborted } from '../http/errors.ts'
import { guardCall, openCall } from '../http/open-call.ts'
import { asAsked } from '../http/read-completion.ts'
import { readWhole } from '../http/read-reply.ts'
import { checkBodySize, checkRequest, writeBody } from '../http/request-body.ts'
import type { KoboldEndpoint } from './endpoints.ts'
import type { KoboldContext, Run } from './kobold-call.ts'
import { readReply } from './read-answer.ts'
import { giveUp } from './stop-generation.ts'
import { streamAnswer } from './stream-answer.ts'
import { watchSilence } from './watch-silence.ts'

/** One call of one endpoint, by the duties that `Backend` names. */
export async function* generate(
  context: KoboldContext,
  endpoint: KoboldEndpoint,
  request: GenerationRequest,
  { signal, stream }: GenerationOptions,
): AsyncGenerator<GenerationEvent> {
  const { name, template, model, client, grammars } = context
  const place = { backend: name, endpoint: endpoint.name }
  checkRequest(name, endpoint, request)
  const fields = endpoint.body(request, {
    template,
    stream,
    ...(model !== undefined && { model }),
    schemaGrammar: request.schema && grammars.kept(request.schema),
  })
  const body = writeBody(fields)
  checkBodySize(place, body)
  if (signal.aborted) throw aborted(place, 'not_sent')
  const mayHitStop = endpoint.addsStops || 'trim_stop' in fields
  const path = stream ? endpoint.streamPath : endpoint.path
  const call = openCall(client, { path, body, ...(request.headers && { headers: request.headers }) })
  const guard = guardCall({
    ...context,
    signal,
    watch: (stop) => watchSilence({ ...context, probeAfterMs: context.silenceProbeMs, onVerdict: stop }),
  })
  const run: Run = { context, place, endpoint, request, mayHitStop, call, guard }
  try {
    if (stream) yield* streamAnswer(run)
    else yield await wholeAnswer(run)
  } finally {
    guard.release()
  }
}

async function wholeAnswer(run: Run): Promise<GenerationEvent> {
  const reply = run.call.response.then(readWhole)
  const step = await run.guard.wait(reply)
  if (step.as === 'value') return readReply(run, step.value)
  // An aborted call still hands over the text it had.
  const rest = reply.then(({ text }) => {
    const answer = run.endpoint.readReply(JSON.parse(text))
    return answer && asAsked(answer, run.request).text
  })
  // A rest that cannot be read is no text; why the call was given up is what counts.
  throw await giveUp(run, step, { rest, partial: async () => rest.catch(() => undefined) })
}
