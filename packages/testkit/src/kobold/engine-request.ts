import type { ResolvedOptions } from './simulator-options.ts'

/** A request as it came in, whatever carried it. */
export interface EngineRequest {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  /** The body's text; undefined if it is not UTF-8. */
  readonly bodyText: string | undefined
}

/** A body as JSON, or the fact that it is none. */
export type Body = { readonly ok: true; readonly value: unknown } | { readonly ok: false }

export function parseBody(text: string | undefined): Body {
  if (text === undefined) return { ok: false }
  try {
    return { ok: true, value: JSON.parse(text) }
  } catch {
    return { ok: false }
  }
}

export function field(body: Body, name: string): unknown {
  if (!body.ok || typeof body.value !== 'object' || body.value === null) return undefined
  return (body.value as Record<string, unknown>)[name]
}

export function genkeyOf(body: Body): string {
  const genkey = field(body, 'genkey')
  return typeof genkey === 'string' ? genkey : ''
}

/** Whether the right key came along; without a password any will do. */
export function isAuthorized({ headers }: EngineRequest, { password }: ResolvedOptions): boolean {
  return password === undefined || headers.authorization === `Bearer ${password}`
}
