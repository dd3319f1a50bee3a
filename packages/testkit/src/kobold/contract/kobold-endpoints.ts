import type { GenerationEndpoint } from './recorded-call.ts'
import type { KoboldVersion } from './simulator-options.ts'

export type KoboldEndpoint =
  | { readonly kind: 'generation'; readonly endpoint: GenerationEndpoint; readonly nativeStream: boolean }
  | { readonly kind: 'tokencount' | 'grammar' | 'abort' | 'check' | 'perf' | 'version' | 'model' | 'models' }
  | { readonly kind: 'trueContext' | 'maxContext' | 'maxLength' | 'infoVersion' | 'ping' | 'v1' }
  | { readonly kind: 'unknown' }

type Table = readonly (readonly [ending: string, endpoint: KoboldEndpoint])[]

function generation(endpoint: GenerationEndpoint, nativeStream = false): KoboldEndpoint {
  return { kind: 'generation', endpoint, nativeStream }
}

// Real servers compare the ending of a path: any prefix works.
const posts: Table = [
  ['/v1/chat/completions', generation('chat')],
  ['/v1/completions', generation('text')],
  ['/api/v1/generate', generation('native')],
  ['/api/latest/generate', generation('native')],
  ['/api/extra/generate/stream', generation('native', true)],
  ['/api/extra/generate/check', { kind: 'check' }],
  ['/api/extra/abort', { kind: 'abort' }],
  ['/api/extra/tokencount', { kind: 'tokencount' }],
]

const gets: Table = [
  ['/api/extra/perf', { kind: 'perf' }],
  ['/api/extra/version', { kind: 'version' }],
  ['/api/v1/model', { kind: 'model' }],
  ['/api/latest/model', { kind: 'model' }],
  ['/v1/models', { kind: 'models' }],
  ['/api/extra/generate/check', { kind: 'check' }],
  ['/api/extra/true_max_context_length', { kind: 'trueContext' }],
  ['/api/v1/config/max_context_length', { kind: 'maxContext' }],
  ['/api/v1/config/max_length', { kind: 'maxLength' }],
  ['/api/v1/info/version', { kind: 'infoVersion' }],
]

const unknown: KoboldEndpoint = { kind: 'unknown' }

function withoutTail(path: string, version: KoboldVersion): string {
  // 1.76 compares the query string too, which makes a known endpoint unknown.
  const query = version === '1.76' ? -1 : path.indexOf('?')
  const bare = query < 0 ? path : path.slice(0, query)
  return bare.endsWith('/') ? bare.replace(/\/+$/, '') : bare
}

// Newer servers answer these without /v1, but only exactly so.
const exactPosts: Table = [
  ['/chat/completions', generation('chat')],
  ['/completions', generation('text')],
  ['/api/extra/tokenize', { kind: 'tokencount' }],
  ['/api/extra/json_to_grammar', { kind: 'grammar' }],
]
const exactGets: Table = [
  ['/models', { kind: 'models' }],
  ['/ping', { kind: 'ping' }],
  ['/v1', { kind: 'v1' }],
]

/** Which endpoint a path is, as the given version compares it. */
export function endpointOf(method: string, path: string, version: KoboldVersion): KoboldEndpoint {
  const bare = withoutTail(path, version)
  for (const [ending, endpoint] of method === 'POST' ? posts : gets) {
    if (bare.endsWith(ending)) return endpoint
  }
  if (version === '1.76') return bare === '/v1' && method === 'GET' ? { kind: 'v1' } : unknown
  for (const [whole, endpoint] of method === 'POST' ? exactPosts : exactGets) {
    if (bare === whole) return endpoint
  }
  return unknown
}
