/** The endings of a whole stream of `POST /event`: `completed` for each `done`, its code for each `error`. */
export function readStreamEnd(text: string): string[] {
  return text.split('\n\n').flatMap((frame) => {
    const name = /^event: *(\w+)$/m.exec(frame)?.[1]
    if (name === 'done') return ['completed']
    if (name !== 'error') return []
    const data: unknown = JSON.parse(/^data: *(.*)$/m.exec(frame)?.[1] ?? '{}')
    return [typeof data === 'object' && data !== null && 'error' in data ? String(data.error) : 'error']
  })
}
