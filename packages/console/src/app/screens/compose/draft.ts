/** What the form holds, as it was typed. */
export interface Draft {
  readonly form: 'text' | 'json'
  readonly prompt: string
  readonly model: string
  readonly backend: string
  readonly maxTokens: string
  readonly temperature: string
  readonly priority: string
  readonly schema: string
  readonly metadata: string
  /** The whole event, in the form `json`. */
  readonly event: string
}

export const EMPTY: Draft = {
  form: 'text',
  prompt: '',
  model: '',
  backend: '',
  maxTokens: '',
  temperature: '',
  priority: '',
  schema: '',
  metadata: '',
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
  if (draft.prompt.trim() === '') return { ok: false, problem: 'Write a prompt first.' }
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
      content: draft.prompt,
      ...(draft.model.trim() && { model: draft.model.trim() }),
      ...(draft.backend && { backend: draft.backend }),
      ...(Object.keys(parameters).length > 0 && { parameters }),
      ...numbered('priority', draft.priority),
      ...(schema?.ok && { schema: schema.event }),
      ...(metadata?.ok && { metadata: metadata.event }),
    },
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
