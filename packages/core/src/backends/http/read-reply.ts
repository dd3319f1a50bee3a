import { BackendError } from '../../contract/backend.ts'
import { at, type ErrorPlace, errorDetail, PLAIN, reasonOf } from './errors.ts'

/** A reply whose body has come to its end. */
export interface WholeReply {
  readonly response: Response
  readonly text: string
}

export async function readWhole(response: Response): Promise<WholeReply> {
  return { response, text: await response.text() }
}

export function parseReply(place: ErrorPlace, text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw notJson(place, text)
  }
}

/** The parser's own error would quote the text. */
export function notJson(place: ErrorPlace, text: string): BackendError {
  const what = /^[\s\uFEFF]*</.test(text)
    ? 'a web page, not JSON: the address is that of a proxy, a sign-in page or another program; check the URL'
    : 'something that is not JSON'
  return new BackendError('not_json', `${at(place)} sent ${what}.`)
}

/** What is no answer: an error with status 200, as servers send it once their head is out, or another shape. */
export function notAnAnswer(place: ErrorPlace, value: unknown): BackendError {
  if (value === null) {
    return new BackendError(
      'wrong_shape',
      `${at(place)} answered null: it could not generate from this request.`,
    )
  }
  if (isErrorFrame(value)) return reportedError(place, value)
  return new BackendError('wrong_shape', `${at(place)} sent JSON that holds no answer.`)
}

/** An error that a server reports in a reply with status 200. Its words are read for the reason and never quoted. */
export function reportedError(place: ErrorPlace, value: unknown): BackendError {
  const isObject = typeof value === 'object' && value !== null
  const reason = reasonOf(isObject ? errorDetail({ ...value }) : { message: value })
  const message = `${at(place)} reports an error with status 200${reason ? PLAIN[reason] : ''}.`
  return new BackendError('wrong_shape', message, { ...(reason && { reason }) })
}

/**
 * `{error: …}` nearly everywhere; older vLLM says `{object: "error", …}`, KoboldCPP and servers made with FastAPI
 * `{detail: …}`.
 */
export function isErrorFrame(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  if ('error' in value && saysSomething(value.error)) return true
  if ('object' in value && value.object === 'error') return true
  return 'detail' in value && saysSomething(value.detail) && !('choices' in value || 'token' in value)
}

/** Some gateways write an empty error into each event. */
const saysSomething = (error: unknown): boolean =>
  typeof error === 'object' && error !== null ? Object.keys(error).length > 0 : Boolean(error)
