import { MIMEType } from 'node:util'

/** Undefined: it is none. */
export function mediaTypeOf(text: string): MIMEType | undefined {
  try {
    return new MIMEType(text)
  } catch {
    return undefined
  }
}

export const isJson = ({ subtype }: MIMEType): boolean => subtype === 'json' || subtype.endsWith('+json')

/** What is text although it does not say `text/`. */
const TEXT_SUBTYPES = new Set(['xml', 'yaml', 'x-yaml', 'x-ndjson', 'jsonl', 'toml', 'javascript', 'sql'])

export const isText = ({ type, subtype }: MIMEType): boolean =>
  type === 'text' || /\+(?:xml|yaml)$/.test(subtype) || (type === 'application' && TEXT_SUBTYPES.has(subtype))
