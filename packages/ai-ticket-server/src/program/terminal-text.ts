import { stripVTControlCharacters } from 'node:util'

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what has to go
const CONTROL_CHARACTERS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g

/** The text of a model as a terminal may have it: it can move no cursor, set no title, answer no query. */
export const terminalText = (text: string): string =>
  stripVTControlCharacters(text).replace(CONTROL_CHARACTERS, '')
