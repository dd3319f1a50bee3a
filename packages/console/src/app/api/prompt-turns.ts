/** One turn of a prompt, for reading. */
export interface ShownTurn {
  readonly role: string
  readonly text: string
  /** Images in it, by type and size: never shown themselves. */
  readonly images: readonly string[]
}

/**
 * The turns of an event's `content`, in whatever form the caller gave it. It reads what is there and refuses nothing: what
 * has no known form is shown as JSON.
 */
export function turnsOf(content: unknown): readonly ShownTurn[] {
  if (content === undefined || content === null) return []
  if (typeof content === 'string') return turnsOfText(content)
  if (Array.isArray(content)) return turnsOfList(content)
  if (typeof content !== 'object') return [turn('user', JSON.stringify(content))]
  const { prompt, messages } = content as { prompt?: unknown; messages?: unknown }
  if (Array.isArray(messages)) return turnsOfList(messages)
  if (typeof prompt === 'string') return [turn('user', prompt)]
  return [turn('user', JSON.stringify(content, null, 2))]
}

/** A text that holds JSON is read as that JSON, as the server does. */
function turnsOfText(text: string): readonly ShownTurn[] {
  if (!/^\s*[[{]/.test(text)) return [turn('user', text)]
  try {
    const inside: unknown = JSON.parse(text)
    return isPrompt(inside) ? turnsOf(inside) : [turn('user', text)]
  } catch {
    return [turn('user', text)]
  }
}

const isPrompt = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && ('prompt' in value || 'messages' in value)

function turnsOfList(list: readonly unknown[]): readonly ShownTurn[] {
  if (list.every(isPart)) return [partsTurn('user', list)]
  return list.map((one) => (typeof one === 'string' ? turn('user', one) : messageTurn(one)))
}

const isPart = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && 'type' in value && !('role' in value)

function messageTurn(message: unknown): ShownTurn {
  if (typeof message !== 'object' || message === null) return turn('user', JSON.stringify(message))
  const { role, content, tool_calls } = message as { role?: unknown; content?: unknown; tool_calls?: unknown }
  const who = typeof role === 'string' ? role : 'user'
  const calls = tool_calls === undefined ? '' : JSON.stringify(tool_calls, null, 2)
  if (Array.isArray(content)) return partsTurn(who, content)
  if (typeof content === 'string') return turn(who, calls === '' ? content : `${content}\n${calls}`)
  return turn(who, calls || JSON.stringify(content ?? null))
}

function partsTurn(role: string, parts: readonly unknown[]): ShownTurn {
  const texts: string[] = []
  const images: string[] = []
  for (const part of parts) {
    const { text, image_url } = Object(part) as { text?: unknown; image_url?: unknown }
    if (typeof part === 'string') texts.push(part)
    else if (typeof text === 'string') texts.push(text)
    else if (image_url !== undefined) images.push(imageWords(image_url))
    else texts.push(JSON.stringify(part))
  }
  return { role, text: texts.join('\n'), images }
}

function imageWords(image: unknown): string {
  const url = typeof image === 'string' ? image : Object(image).url
  const [, type = 'image', data = ''] = /^data:([^;,]{1,60})[^,]*,(.*)$/s.exec(String(url)) ?? []
  return `${type}, ${Math.max(1, Math.round((data.length * 3) / 4 / 1024))} KB`
}

const turn = (role: string, text: string): ShownTurn => ({ role, text, images: [] })
