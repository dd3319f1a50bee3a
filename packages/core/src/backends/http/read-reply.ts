import { BackendError } from '../../contract/backend.ts'
import { at, type ErrorPlace } from './errors.ts'

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
    // The parser's own error would quote the text.
    throw new BackendError('not_json', `${at(place)} sent something that is not JSON.`)
  }
}

/** Says which kind of wrong, by what servers are known to send. */
export function wrongShape(place: ErrorPlace, reply: unknown): BackendError {
  if (reply === null) {
    return new BackendError(
      'wrong_shape',
      `${at(place)} answered null: it could not generate from this request.`,
    )
  }
  if (typeof reply === 'object' && ('error' in reply || 'detail' in reply)) {
    return new BackendError('wrong_shape', `${at(place)} reports an error with status 200.`)
  }
  return new BackendError('wrong_shape', `${at(place)} sent JSON that holds no answer.`)
}
