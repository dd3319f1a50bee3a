import { toJsonSchema } from '@valibot/to-json-schema'
import { ConfigFileSchema } from '../src/config/config-schema.ts'

/** The JSON Schema that editors use for the configuration file. */
export function configJsonSchema(): Record<string, unknown> {
  return {
    title: 'Configuration of AI Ticket',
    // Log levels are checked by code, in any case; their description lists them.
    ...toJsonSchema(ConfigFileSchema, { ignoreActions: ['check'] }),
  }
}
