import type { IncomingMessage } from 'node:http'
import type { CloudEvent } from './cloud-event.ts'
import { decodeHeaderValue } from './header-value.ts'
import { invalidEvent } from './invalid-event.ts'
import { readAttributes } from './read-attributes.ts'
import { readData } from './read-data.ts'

/** Binary mode: attributes are headers, the body is the data. Throws a `RequestProblem`. */
export function readBinary({ rawHeaders, headers }: IncomingMessage, body: Buffer): CloudEvent {
  const given = attributesOf(rawHeaders)
  if (given.has('datacontenttype')) {
    throw invalidEvent('There must be no header `ce-datacontenttype`: Content-Type says it.')
  }
  const contentType = headers['content-type']
  const event = readAttributes({ ...Object.fromEntries(given), datacontenttype: contentType })
  return { ...event, data: readData(body, contentType) }
}

/** From the raw headers, because Node would join two of one name to a value that nobody sent. */
function attributesOf(rawHeaders: readonly string[]): Map<string, string> {
  const attributes = new Map<string, string>()
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const [, name] = /^ce-(.*)$/is.exec(rawHeaders[index] ?? '') ?? []
    if (name === undefined) continue
    const key = name.toLowerCase()
    const value = decodeHeaderValue(rawHeaders[index + 1] ?? '')
    if (value === undefined) throw invalidEvent(`The header \`ce-${key.slice(0, 40)}\` is not valid UTF-8.`)
    if (attributes.has(key)) throw invalidEvent(`The header \`ce-${key.slice(0, 40)}\` is there twice.`)
    attributes.set(key, value)
  }
  return attributes
}
