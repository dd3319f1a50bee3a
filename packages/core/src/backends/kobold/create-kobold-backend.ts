import {
  type Backend,
  BackendError,
  type Endpoint,
  type GenerationEnd,
  type GenerationEvent,
  type GenerationOptions,
  type GenerationRequest,
} from '../../contract/backend.ts'
import { type Clock, sleep } from '../../contract/clock.ts'
import { parseJson } from '../../contract/json-value.ts'
import { serverOf } from '../http/check-options.ts'
import { createClient } from '../http/client.ts'
import { aborted, at } from '../http/errors.ts'
import { createIdleTimer, guardCall, type IdleTimer, openCall } from '../http/open-call.ts'
import { contentTypeOf } from '../http/pool-response.ts'
import { asAsked, collectAnswer } from '../http/read-completion.ts'
import { endIn } from '../http/read-parts.ts'
import { inOneChunk, isStreamText, isStreamType, readWhole } from '../http/read-reply.ts'
import { checkBodySize, checkRequest, writeBody } from '../http/request-body.ts'
import { countTokens, tokenize } from './count-tokens.ts'
import { type KoboldEndpoint, koboldEndpoints, readReply } from './endpoints.ts'
import type { KoboldContext, Run } from './kobold-call.ts'
import { type KoboldBackendOptions, resolveKoboldOptions } from './kobold-options.ts'
import { probe } from './probe.ts'
import { createSchemaGrammars } from './schema-grammars.ts'
import { createSideChannel, type PerfAnswer, type SideAnswer, type SideChannel } from './side-channel.ts'
import { giveUp, stopGeneration, stopLeft } from './stop-generation.ts'
import { answerInParts, drainResponse, streamAnswer } from './stream-answer.ts'

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
  const context: KoboldContext = {
    ...settings,
    client,
    side,
    grammars,
    closed: closing.signal,
    running: new Set(),
    left: new Set(),
    router: { isOn: false, answered: undefined, configs: new Map() },
  }
  return {
    name,
    server: serverOf('koboldcpp', url),
    ...(settings.model !== undefined && { defaultModel: settings.model }),
    endpoints: koboldEndpoints,
    generate: (endpoint, request, how) => generate(context, known(name, endpoint), request, how),
    async probe(signal) {
      const state = await probe({ name, client, router: context.router, signal, clock })
      if (!state.incomplete || state.contextLength !== undefined) context.contextLength = state.contextLength
      // It answers again. Nobody need wait until it has stopped.
      if (context.left.size > 0) void stopLeft(context, closing.signal)
      return state
    },
    enforces: async (_endpoint, schema, signal) => (await grammars.find(schema, signal)) !== undefined,
    countTokens: (request, signal) =>
      countTokens(request, { name, client, template, signal, wallTimeMs: clock.wallTime() }),
    tokenize: (text, signal) => tokenize(text, { name, client, signal, wallTimeMs: clock.wallTime() }),
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
  if (context.left.size > 0 && !(await stopLeft(context, signal)) && !signal.aborted) {
    throw new BackendError('dead', `${at(place)} still does not answer.`, { stopped: 'not_sent' })
  }
  if (signal.aborted) throw aborted(place, 'not_sent')
  const mayHitStop = endpoint.addsStops || 'trim_stop' in fields
  const path = stream ? endpoint.streamPath : endpoint.path
  context.running.add(request.key)
  const startedAt = context.clock.now()
  const call = openCall(client, { path, body, ...(request.headers && { headers: request.headers }) })
  const guard = guardCall({
    ...context,
    signal,
    watch: (stop) => watchSilence({ ...context, probeAfterMs: context.silenceProbeMs, onVerdict: stop }),
  })
  const run: Run = { context, place, endpoint, request, mayHitStop, startedAt, call, guard }
  try {
    if (stream) yield* streamAnswer(run)
    else yield await wholeAnswer(run)
    context.router.answered = request.model ?? model
  } finally {
    context.running.delete(request.key)
    guard.release()
  }
}

/**
 * The end of a generation of which nothing else counts. KoboldCPP answers in one piece then; what stands between may
 * stream to everybody, and is read, too.
 */
async function wholeAnswer(run: Run): Promise<GenerationEnd> {
  const { call, guard, endpoint, request } = run
  const reply = call.response.then((response) =>
    response.ok && isStreamType(contentTypeOf(response)) ? undefined : readWhole(response),
  )
  const step = await guard.wait(reply)
  if (step.as === 'value') {
    if (!step.value) return endIn(streamAnswer(run))
    const { response, text } = step.value
    return response.ok && isStreamText(text)
      ? endIn(answerInParts(run, response, inOneChunk(text)))
      : readReply(run, step.value)
  }
  const collected = collectAnswer(request)
  // An aborted call still hands over the text it had.
  const rest = reply.then(async (whole) => {
    if (!whole) {
      await drainResponse(run, await call.response, collected)
      return collected.answer().text
    }
    const answer = endpoint.readReply(parseJson(whole.text))
    return answer && asAsked(answer, request).text
  })
  // A rest that cannot be read is no text; why the call was given up is what counts.
  throw await giveUp(run, step, { rest, partial: async () => rest.catch(() => undefined) })
}

/** `lost`: the server is idle and will never answer. `dead`: it answers nothing at all. */
type SilenceVerdict = 'lost' | 'dead'

export interface SilenceOptions {
  readonly clock: Clock
  readonly side: Pick<SideChannel, 'perf'>
  readonly probeAfterMs: number
  readonly deadAfterMs: number
  onVerdict(verdict: SilenceVerdict): void
}

/** Between two looks at a silent server. */
const LOOK_EVERY_MS = 3000
const LOOK_TIMEOUT_MS = 5000

/**
 * Silence is not failure: a server that reads a long prompt, or lets us wait behind another client, sends nothing.
 * So after a while of silence it is asked whether it works; only one that is idle, or silent there too, is given up.
 */
export function watchSilence(options: SilenceOptions): IdleTimer {
  let looking: AbortController | undefined
  const stopLooking = () => {
    looking?.abort()
    looking = undefined
  }
  const timer = createIdleTimer({
    clock: options.clock,
    idleMs: options.probeAfterMs,
    onIdle() {
      looking = new AbortController()
      const { signal } = looking
      look(options, signal).then(
        (verdict) => signal.aborted || options.onVerdict(verdict),
        () => {}, // Something came meanwhile.
      )
    },
  })
  return {
    touch() {
      stopLooking()
      timer.touch()
    },
    pause() {
      stopLooking()
      timer.pause()
    },
    stop() {
      stopLooking()
      timer.stop()
    },
  }
}

async function look(options: SilenceOptions, signal: AbortSignal): Promise<SilenceVerdict> {
  const { clock, side, deadAfterMs } = options
  let state: SilenceState = { idleSeen: 0 }
  for (;;) {
    const unansweredSince = state.unansweredSince ?? clock.now()
    const left = unansweredSince + deadAfterMs - clock.now()
    const answer = await side.perf({ timeoutMs: Math.min(LOOK_TIMEOUT_MS, left), signal })
    signal.throwIfAborted()
    const verdict = judgeSilence({ ...state, unansweredSince }, { answer, now: clock.now() }, deadAfterMs)
    if (typeof verdict === 'string') return verdict
    state = verdict
    const rest = (state.unansweredSince ?? clock.now()) + deadAfterMs - clock.now()
    await sleep(clock, Math.min(LOOK_EVERY_MS, rest), signal)
  }
}

interface SilenceState {
  /** Looks in a row that found the server idle. */
  readonly idleSeen: number
  /** When the first of the looks in a row was made that nobody answered. */
  readonly unansweredSince?: number
}

interface SilenceLook {
  readonly answer: SideAnswer<PerfAnswer>
  readonly now: number
}

function judgeSilence(
  state: SilenceState,
  { answer, now }: SilenceLook,
  deadAfterMs: number,
): SilenceVerdict | SilenceState {
  if (answer.as === 'answered') {
    const idleSeen = answer.value.state === 'idle' ? state.idleSeen + 1 : 0
    return idleSeen >= 2 ? 'lost' : { idleSeen }
  }
  const unansweredSince = state.unansweredSince ?? now
  return now - unansweredSince >= deadAfterMs ? 'dead' : { idleSeen: 0, unansweredSince }
}
