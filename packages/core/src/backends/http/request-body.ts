import type { Turn } from '../../contract/prompt.ts'

export type RequestBody = Record<string, unknown>

/**
 * JSON that servers can read: a half surrogate, which JavaScript strings may hold, is replaced, for it would crash
 * the handler of KoboldCPP.
 */
export function writeBody(body: RequestBody): string {
  const text = JSON.stringify(body)
  if (!/\\ud[89a-f]/i.test(text)) return text
  return JSON.stringify(body, (_, value) => (typeof value === 'string' ? value.toWellFormed() : value))
}

/** A turn as `/v1/chat/completions` takes it. */
export const toMessage = ({ role, content, name, tool_call_id, tool_calls }: Turn): RequestBody => ({
  role,
  content,
  ...defined({ name, tool_call_id, tool_calls }),
})

/** Unset options are left out: null makes KoboldCPP 1.76 fail with a 200. */
export function defined(fields: RequestBody): RequestBody {
  const kept: RequestBody = {}
  // A plain loop: through entries and back this was a tenth of what a call costs us.
  for (const name in fields) {
    const value = fields[name]
    if (value !== undefined && value !== null) kept[name] = value
  }
  return kept
}
