import type { SettingBody } from '../../api/config.ts'

/** What is to become of a setting; `unset`: what the file or the default says. */
export type Draft = { readonly kind: 'set'; readonly value: unknown } | { readonly kind: 'unset' }

/** By the keys of the settings, in the order in which they were written. */
export type Drafts = Readonly<Record<string, Draft>>

/** The body of `PATCH /config`. */
export function bodyOf(drafts: Drafts): { set: Record<string, unknown>; unset: string[] } {
  const set: Record<string, unknown> = {}
  const unset: string[] = []
  for (const [key, draft] of Object.entries(drafts)) {
    if (draft.kind === 'set') set[key] = draft.value
    else unset.push(key)
  }
  return { set, unset }
}

export function without(drafts: Drafts, key: string): Drafts {
  const { [key]: _gone, ...rest } = drafts
  return rest
}

/** How a value is written: chosen, as a number, as a text, or as JSON. */
export type Field =
  | { readonly kind: 'choice'; readonly options: readonly unknown[] }
  | {
      readonly kind: 'number'
      readonly minimum?: number
      readonly maximum?: number
      readonly isWhole: boolean
    }
  | { readonly kind: 'text' | 'json' }

export function fieldOf({ schema }: Pick<SettingBody, 'schema'>): Field {
  const { type, enum: options, minimum, maximum } = schema
  if (Array.isArray(options)) return { kind: 'choice', options }
  if (type === 'boolean') return { kind: 'choice', options: [true, false] }
  if (type === 'string') return { kind: 'text' }
  if (type !== 'integer' && type !== 'number') return { kind: 'json' }
  return {
    kind: 'number',
    isWhole: type === 'integer',
    ...(typeof minimum === 'number' && { minimum }),
    ...(typeof maximum === 'number' && { maximum }),
  }
}

/** A value as it is shown, and as it is written into its field. */
export const textOf = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value))

/** What was written. Undefined: it is no value of this kind; whether it is a good one the server knows. */
export function readField(field: Field, text: string): { readonly value: unknown } | undefined {
  if (field.kind === 'text') return { value: text }
  if (field.kind === 'choice') {
    const value = field.options.find((option) => textOf(option) === text)
    return value === undefined ? undefined : { value }
  }
  const value = parsed(text)
  if (value === undefined) return undefined
  return field.kind === 'number' && typeof value !== 'number' ? undefined : { value }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** The settings that are looked for. */
export function matching(
  settings: readonly SettingBody[],
  { text, isChanged }: { readonly text: string; readonly isChanged: boolean },
): SettingBody[] {
  const words = text.toLowerCase().split(/\s+/)
  return settings.filter((setting) => {
    const said = `${setting.key} ${setting.summary}`.toLowerCase()
    return words.every((word) => said.includes(word)) && (!isChanged || differs(setting))
  })
}

/** Whether it is not what it would be without anybody's doing. */
const differs = ({ origin }: Pick<SettingBody, 'origin'>): boolean => origin.kind !== 'default'

/** Names of the backends that can be taken away here, by their settings. */
export function backendsOf(settings: readonly SettingBody[]): string[] {
  const names = settings.flatMap(({ key, locked }) => {
    const [, name] = /^backends\.(.+)\.type$/.exec(key) ?? []
    return name === undefined || locked ? [] : [name]
  })
  return names
}
