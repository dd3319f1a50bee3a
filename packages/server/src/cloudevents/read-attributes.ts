import { type Attributes, type CloudEvent, REQUIRED } from './cloud-event.ts'
import { invalidEvent } from './invalid-event.ts'
import { mediaTypeOf } from './media-type.ts'

/**
 * Checks the attributes of CloudEvents 1.0; null and undefined mean unset. Throws a `RequestProblem` that names the first
 * that is wrong.
 */
export function readAttributes(given: Readonly<Record<string, unknown>>): Omit<CloudEvent, 'data'> {
  checkVersion(given.specversion)
  const set = Object.entries(given).filter(([, value]) => value !== null && value !== undefined)
  const attributes: Attributes = Object.fromEntries(set.map(([name, value]) => [name, readOne(name, value)]))
  for (const name of REQUIRED) if (attributes[name] === undefined) throw missing(name)
  const { id = '', source = '', type = '' } = attributes
  return { id, source, type, attributes }
}

/** First of all, for attributes of another version follow rules of their own. */
function checkVersion(version: unknown): void {
  if (version === null || version === undefined) throw missing('specversion')
  if (version !== '1.0') throw invalidEvent('The `specversion` of the CloudEvent must be "1.0".')
}

const missing = (name: string) =>
  invalidEvent(`The CloudEvent has no \`${name}\`. It needs ${REQUIRED.join(', ')}.`)

const NAME = /^[a-z0-9]+$/
const SHOWN_NAME_LENGTH = 40

function readOne(name: string, value: unknown): string {
  if (!NAME.test(name) || name === 'data') {
    throw invalidEvent(
      `\`${name.slice(0, SHOWN_NAME_LENGTH)}\` cannot be the name of a CloudEvents attribute: only a-z and 0-9.`,
    )
  }
  const rule = Object.hasOwn(RULES, name) ? RULES[name] : undefined
  const text = rule === undefined ? extensionText(name, value) : value
  if (typeof text !== 'string') throw invalidEvent(`\`${name}\` must be a string.`)
  if (!isPlain(text)) throw invalidEvent(`\`${name}\` has control characters or is not valid Unicode.`)
  if (rule !== undefined && !rule.holds(text)) throw invalidEvent(`\`${name}\` must be ${rule.says}.`)
  return text
}

/** Extensions have no declared type here: any of the seven, which JSON writes in three ways. */
function extensionText(name: string, value: unknown): unknown {
  if (typeof value === 'boolean') return String(value)
  if (typeof value === 'number' && value === (value | 0)) return String(value)
  if (typeof value === 'string') return value
  throw invalidEvent(`\`${name}\` must be a string, a boolean or an integer of 32 bits.`)
}

const UNWANTED = /\p{Cc}|\p{Noncharacter_Code_Point}/u
const isPlain = (text: string) => text.isWellFormed() && !UNWANTED.test(text)

interface Rule {
  readonly says: string
  holds(text: string): boolean
}

/** The characters of RFC 3986. */
const URI_REFERENCE = /^(?:[\w.~:/?#[\]@!$&'()*+,;=-]|%[\da-f]{2})+$/i
const SCHEME = /^[a-z][a-z0-9+.-]*:/i
/** RFC 3339; a leap second is one. */
const TIMESTAMP =
  /^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])T(?:[01]\d|2[0-3]):[0-5]\d:(?:[0-5]\d|60)(?:\.\d+)?(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/i

const timestamp: Rule = {
  says: 'a time like 2027-01-31T08:00:00Z (RFC 3339)',
  holds: (text) => TIMESTAMP.test(text),
}
const notEmpty: Rule = { says: 'a string that is not empty', holds: (text) => text !== '' }

/** Of the attributes of the specification, and of the extension that is heeded here. */
const RULES: Readonly<Record<string, Rule>> = {
  specversion: notEmpty,
  id: notEmpty,
  type: notEmpty,
  subject: notEmpty,
  source: {
    says: 'a URI-reference, percent-encoded where needed (in a header, `%` itself is `%25`), and not empty',
    holds: (text) => URI_REFERENCE.test(text),
  },
  dataschema: {
    says: 'a URI with its scheme',
    holds: (text) => SCHEME.test(text) && URI_REFERENCE.test(text),
  },
  time: timestamp,
  expirytime: timestamp,
  datacontenttype: {
    says: 'a media type like application/json',
    holds: (text) => mediaTypeOf(text) !== undefined,
  },
}
