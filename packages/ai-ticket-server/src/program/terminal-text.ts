import { once } from 'node:events'
import { stripVTControlCharacters } from 'node:util'
import type { Outcome, StreamEvent } from '@ai-ticket/core'

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what has to go
const CONTROL_CHARACTERS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g

/** A model's text made safe for a terminal: it cannot move the cursor, set the title or answer a query. */
export const terminalText = (text: string): string =>
  stripVTControlCharacters(text).replace(CONTROL_CHARACTERS, '')

/** Control characters, line breaks, and what turns the direction of a line: a terminal acts on them instead of showing them. */
const UNSHOWN =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g

const escaped = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`

/** One line that came from another caller, with a mark such as `\u001b` for what a terminal would act on. */
export const terminalLine = (text: string): string => text.replace(UNSHOWN, escaped)

/** JSON that a terminal only shows: the same value, with every such character escaped. `indent`: over several lines. */
export const terminalJson = (value: unknown, indent = 0): string =>
  JSON.stringify(value, null, indent).split('\n').map(terminalLine).join('\n')

/** What we need of stdout. */
interface TextSink {
  readonly isTTY?: boolean
  write(text: string): boolean
}

/**
 * Writes the text as it comes and a newline at its end. White space before the first word is left out, as in
 * `completion`. Undefined: the signal ended it.
 */
export async function printDeltas(
  events: AsyncIterable<StreamEvent>,
  stdout: TextSink & NodeJS.EventEmitter,
  signal: AbortSignal,
): Promise<Outcome | undefined> {
  const clean = stdout.isTTY ? terminalText : (text: string) => text
  let last = ''
  let outcome: Outcome | undefined
  try {
    for await (const event of events) {
      if (event.type === 'done' || event.type === 'error') outcome = event.outcome
      if (event.type !== 'delta') continue
      const text = clean(last === '' ? event.text.trimStart() : event.text)
      if (text === '') continue
      last = text
      if (!stdout.write(text)) await once(stdout, 'drain', { signal })
    }
  } catch (error) {
    if (!signal.aborted) throw error
  }
  if (last !== '' && !last.endsWith('\n')) stdout.write('\n')
  return outcome
}
