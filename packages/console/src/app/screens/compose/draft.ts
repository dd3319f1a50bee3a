/** A message of a conversation. */
export interface DraftTurn {
  readonly role: 'system' | 'user' | 'assistant'
  readonly content: string
}

/** What the form holds, as it was typed. */
export interface Draft {
  readonly form: 'text' | 'messages' | 'json'
  readonly prompt: string
  /** Of the form `messages`. */
  readonly turns: readonly DraftTurn[]
  readonly model: string
  readonly backend: string
  readonly maxTokens: string
  readonly temperature: string
  readonly priority: string
  readonly schema: string
  readonly metadata: string
  /** Seconds that the event may take. */
  readonly timeout: string
  /** As the browser's field gives it, in the reader's zone. */
  readonly notBefore: string
  readonly expires: string
  readonly callback: string
  /** The whole event, in the form `json`. */
  readonly event: string
}

export const EMPTY: Draft = {
  form: 'text',
  prompt: '',
  turns: [
    { role: 'system', content: '' },
    { role: 'user', content: '' },
  ],
  model: '',
  backend: '',
  maxTokens: '',
  temperature: '',
  priority: '',
  schema: '',
  metadata: '',
  timeout: '',
  notBefore: '',
  expires: '',
  callback: '',
  event: '{\n  "content": "Why is the sky blue?"\n}',
}

const STORED = 'ai-ticket-console-draft'

/** Of this tab: a draft may be as private as a prompt, and goes with the tab. */
export function readDraft(): Draft {
  try {
    return { ...EMPTY, ...JSON.parse(sessionStorage.getItem(STORED) ?? '{}') }
  } catch {
    return EMPTY
  }
}

export const keepDraft = (draft: Draft): void => sessionStorage.setItem(STORED, JSON.stringify(draft))

export type EventRead =
  | { readonly ok: true; readonly event: object }
  | { readonly ok: false; readonly problem: string }

/** The event that a draft stands for. What the server checks is left to the server; only what is no JSON fails here. */
export function eventOf(draft: Draft): EventRead {
  if (draft.form === 'json') return readObject('The event', draft.event)
  const content = contentOf(draft)
  if (content === undefined) return { ok: false, problem: 'Write a prompt first.' }
  const parameters = {
    ...numbered('max_tokens', draft.maxTokens),
    ...numbered('temperature', draft.temperature),
  }
  const schema = draft.schema.trim() === '' ? undefined : readObject('The schema', draft.schema)
  const metadata = draft.metadata.trim() === '' ? undefined : readObject('The metadata', draft.metadata)
  for (const read of [schema, metadata]) if (read?.ok === false) return read
  return {
    ok: true,
    event: {
      content,
      ...(draft.model.trim() && { model: draft.model.trim() }),
      ...(draft.backend && { backend: draft.backend }),
      ...(Object.keys(parameters).length > 0 && { parameters }),
      ...numbered('priority', draft.priority),
      ...(schema?.ok && { schema: schema.event }),
      ...(metadata?.ok && { metadata: metadata.event }),
      ...timed(draft),
      ...(draft.callback.trim() && { callback_url: draft.callback.trim() }),
    },
  }
}

/** Turns without words are left out, as a system prompt that nobody wrote. Undefined: nothing was written. */
function contentOf({ form, prompt, turns }: Draft): unknown {
  if (form === 'text') return prompt.trim() === '' ? undefined : prompt
  const messages = turns.filter(({ content }) => content.trim() !== '')
  return messages.length === 0 ? undefined : { messages }
}

/** How long it may take, and between which times. */
function timed({ timeout, notBefore, expires }: Draft): Record<string, unknown> {
  const { seconds } = numbered('seconds', timeout)
  return {
    ...(seconds !== undefined && { timeout_ms: typeof seconds === 'number' ? seconds * 1_000 : seconds }),
    ...(notBefore && { not_before: new Date(notBefore).toISOString() }),
    ...(expires && { expires_at: new Date(expires).toISOString() }),
  }
}

/** What is no number stays the text it is: the server names the field and what it wants. */
function numbered(name: string, typed: string): Record<string, unknown> {
  const text = typed.trim()
  if (text === '') return {}
  return { [name]: Number.isNaN(Number(text)) ? text : Number(text) }
}

function readObject(what: string, text: string): EventRead {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      return { ok: true, event: value }
    return { ok: false, problem: `${what} must be a JSON object.` }
  } catch (error) {
    return {
      ok: false,
      problem: `${what} is not JSON: ${error instanceof Error ? error.message : String(error)}`,
    }
  }
}
