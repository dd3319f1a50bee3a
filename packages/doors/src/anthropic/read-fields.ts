import { RequestProblem } from '@ai-ticket/http-server'

/** An object of a request, nothing of it checked. */
export type Fields = Readonly<Record<string, unknown>>

export const isRecord = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Why a request is refused. The sentence begins with the path of the field. */
export const refuse = (path: string, problem: string): RequestProblem =>
  new RequestProblem({ code: 'invalid_input_format', details: `\`${path}\` ${problem}` })

/** Throws a `RequestProblem` unless it is a list of objects. Null and undefined are an empty one. */
export function recordsAt(value: unknown, path: string): readonly Fields[] {
  if (value == null) return []
  if (!Array.isArray(value)) throw refuse(path, 'must be a list.')
  const wrong = value.findIndex((one) => !isRecord(one))
  if (wrong !== -1) throw refuse(`${path}[${wrong}]`, 'must be an object.')
  return value
}

/** Throws a `RequestProblem` unless it is a string with something in it. */
export function nameAt(value: unknown, path: string): string {
  if (typeof value !== 'string' || value === '') throw refuse(path, 'must be a string, and not empty.')
  return value
}

/** Throws a `RequestProblem` unless it is a string. */
export function textAt(value: unknown, path: string): string {
  if (typeof value !== 'string') throw refuse(path, 'must be a string.')
  return value
}
