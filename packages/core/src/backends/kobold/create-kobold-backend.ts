import {
  type Backend,
  BackendError,
  type Endpoint,
  type GenerationEvent,
  type GenerationOptions,
  type GenerationRequest,
} from '../../contract/backend.ts'
import { parseJson } from '../../contract/long-number.ts'
import { serverOf } from '../http/check-options.ts'
import { createClient } from '../http/client.ts'
import { aborted } from '../http/errors.ts'
import { guardCall, openCall } from '../http/open-call.ts'
import { asAsked } from '../http/read-completion.ts'
import { readWhole } from '../http/read-reply.ts'
import { checkBodySize, checkRequest, writeBody } from '../http/request-body.ts'
import { countTokens } from './count-tokens.ts'
import { type KoboldEndpoint, koboldEndpoints } from './endpoints.ts'
import type { KoboldContext, Run } from './kobold-call.ts'
import { type KoboldBackendOptions, resolveKoboldOptions } from './kobold-options.ts'
import { probe } from './probe.ts'
import { readReply } from './read-answer.ts'
import { createSchemaGrammars } from './schema-grammars.ts'
import { createSideChannel } from './side-channel.ts'
import { giveUp, stopGeneration } from './stop-generation.ts'
import { streamAnswer } from './stream-answer.ts'
import { watchSilence } from './watch-silence.ts'

/**
 * A KoboldCPP server (1.76 and newer) as a backend, with the endpoints `chat`, `text` and `native`.
 *
 * Whole answers use plain calls, streaming callers streams. Every generation carries its own key; one that is
 * aborted, broke off or is left early is stopped on the server before `generate` settles. Silence is not failure:
 * there is no limit on the time to the first token, but a server that is idle or dead meanwhile is found out.
 *
 * Not covered: with `--parallelrequests` KoboldCPP does not obey an abort, so that a stopped generation settles only
 * at its own end; a grammar that does not parse is ignored by the server without a word.
 *
 * Throws a `TypeError` for a bad option. Behaviour and numbers come from exchanges recorded with 1.76 and 1.115.1.
 */
export function createKoboldBackend(options: KoboldBackendOptions): Backend {
  const { url, apiKey, connectTimeoutMs, fetch, ...settings } = resolveKoboldOptions(options)
  const { name, clock, template } = settings
  const client = createClient({
    baseUrl: url,
    connectTimeoutMs,
    ...(apiKey !== undefined && { apiKey }),
    ...(fetch && { fetch }),
  })
  const closing = new AbortController()
  const side = createSideChannel(client, clock)
  const grammars = createSchemaGrammars({ client, clock })
  const context: KoboldContext = { ...settings, client, side, grammars, closed: closing.signal }
  return {
    name,
    server: serverOf('koboldcpp', url),
    endpoints: koboldEndpoints,
    generate: (endpoint, request, how) => generate(context, known(name, endpoint), request, how),
    async probe(signal) {
      const state = await probe({ name, client, signal })
      context.contextLength = state.contextLength
      return state
    },
    enforces: async (_endpoint, schema, signal) => (await grammars.find(schema, signal)) !== undefined,
    countTokens: (request, signal) =>
      countTokens(request, { name, client, template, signal, wallTimeMs: clock.wallTime() }),
    async abandon(key, signal) {
      const { clock, abortIntervalMs: intervalMs, deadAfterMs } = settings
      const closed = AbortSignal.any([closing.signal, signal])
      await stopGeneration({ clock, side, key, intervalMs, deadAfterMs, closed })
      signal.throwIfAborted()
    },
    async close() {
      closing.abort()
      await client.close()
    },
  }
}

function known(name: string, { name: endpoint }: Endpoint): KoboldEndpoint {
  const found = koboldEndpoints.find((one) => one.name === endpoint)
  if (!found) throw new BackendError('invalid_request', `Backend ${name} has no endpoint ${endpoint}.`)
  return found
}

/** One call of one endpoint, by the duties that `Backend` names. */
async function* generate(
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
  const body = writeBody(place, fields)
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
    const answer = run.endpoint.readReply(parseJson(text))
    return answer && asAsked(answer, run.request).text
  })
  // A rest that cannot be read is no text; why the call was given up is what counts.
  throw await giveUp(run, step, { rest, partial: async () => rest.catch(() => undefined) })
}
