import { isRecord, type JsonRecord } from '../wire/json-record.ts'
import { pythonJson } from '../wire/python-json.ts'
import { jsonReply, type WholeReply } from '../wire/reply-sink.ts'
import { countTokens } from '../wire/simulated-tokens.ts'
import type { KoboldEndpoint } from './contract/kobold-endpoints.ts'
import type { ResolvedOptions } from './contract/simulator-options.ts'
import { renderMessages } from './generation/read-generation-request.ts'

/** The body of an endpoint that only informs; undefined for all others. `authorized`: the right key came along. */
export function infoBody(
  kind: KoboldEndpoint['kind'],
  options: ResolvedOptions & { readonly model: string | null },
  authorized: boolean,
): string | undefined {
  const { version, contextLength, model } = options
  switch (kind) {
    case 'version':
      return pythonJson(versionBody(options))
    case 'model':
      return pythonJson({ result: authorized ? (model ?? 'inactive') : 'koboldcpp/protected-model' })
    case 'models':
      return pythonJson(modelList(model ?? 'inactive'))
    case 'trueContext':
      return pythonJson({ value: contextLength })
    case 'maxContext':
      // 1.76 advertises a Horde limit here.
      return pythonJson({ value: version === '1.76' ? Math.min(contextLength, 4096) : contextLength })
    case 'maxLength':
      return pythonJson({ value: version === '1.76' ? 400 : 1024 })
    case 'infoVersion':
      return pythonJson({ result: '1.2.5' })
    case 'ping':
      return pythonJson({ status: 'healthy' })
    default:
      return undefined
  }
}

/** `POST /api/extra/tokencount`. The ids are invented: 1 for the beginning, then 403 and up. */
export function countTokensReply(body: unknown, options: ResolvedOptions): WholeReply {
  const prompt = isRecord(body) ? promptOf(body) : undefined
  if (!isRecord(body) || typeof prompt !== 'string') return jsonReply('{"value": -1}', 400)
  const shown = options.version === '1.76' ? {} : { prompt }
  if (options.model === null) return jsonReply(pythonJson({ value: 0, ids: [], ...shown }))
  const beginning = body.special === false ? [] : [1]
  const ids = [...beginning, ...Array.from({ length: countTokens(prompt) }, (_, index) => 403 + index)]
  return jsonReply(pythonJson({ value: ids.length, ids, ...shown }))
}

function versionBody({ version, password, model, vision }: ResolvedOptions) {
  const base = { result: 'KoboldCpp', version, protected: password !== undefined }
  if (version === '1.76') return { ...base, txt2img: false, vision, transcribe: false }
  return {
    ...base,
    llm: model !== null,
    txt2img: false,
    vision,
    audio: false,
    transcribe: false,
    multiplayer: false,
    websearch: false,
    tts: false,
    embeddings: false,
    music: false,
    savedata: false,
    admin: 0,
    router: false,
    guidance: false,
    jinja: false,
    mcp: false,
  }
}

function modelList(model: string) {
  const created = Math.floor(Date.now() / 1000)
  const entry = {
    id: model,
    object: 'model',
    created,
    owned_by: 'koboldcpp',
    permission: [],
    root: 'koboldcpp',
  }
  return { object: 'list', data: [entry] }
}

function promptOf(body: JsonRecord): unknown {
  return 'messages' in body ? renderMessages(body.messages) : (body.prompt ?? '')
}
