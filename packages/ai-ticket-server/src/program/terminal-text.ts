import { once } from 'node:events'
import { stripVTControlCharacters } from 'node:util'
import type { Outcome, StreamEvent } from '@ai-ticket/core'

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what has to go
const CONTROL_CHARACTERS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g

/** A model's text made safe for a terminal: it cannot move the cursor, set the title or answer a query. */
export const terminalText = (text: string): string =>
  stripVTControlCharacters(text).replace(CONTROL_CHARACTERS, '')

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
