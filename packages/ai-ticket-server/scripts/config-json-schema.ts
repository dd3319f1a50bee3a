import { DEFAULTS } from '@ai-ticket/core'
import { toJsonSchema } from '@valibot/to-json-schema'
import { ConfigFileSchema } from '../src/config/config-schema.ts'
import { defaultOf, settingList } from '../src/config/settings.ts'
import { TUNING_PLACES } from '../src/config/tuning-schema.ts'

/** The JSON Schema that editors use for the configuration file. */
export function configJsonSchema(): Record<string, unknown> {
  // Log levels are checked by code, in any case; their description lists them.
  const schema = toJsonSchema(ConfigFileSchema, { ignoreActions: ['check', 'metadata'] })
  const addDefault = (path: readonly string[], text: string) => {
    const found = path.reduce<Described | undefined>(
      (parent, key) => parent?.properties?.[key],
      schema as Described,
    )
    if (found) found.description += ` Default${text.includes(' ') ? ':' : ''} ${text}.`
  }
  for (const [, setting] of settingList) addDefault([setting.key], defaultOf(setting))
  for (const { name, group, key } of TUNING_PLACES) addDefault([group, key], String(DEFAULTS[name]))
  return { title: 'Configuration of AI Ticket', ...schema }
}

interface Described {
  description?: string
  readonly properties?: Readonly<Record<string, Described>>
}
