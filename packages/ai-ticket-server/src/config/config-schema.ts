import * as v from 'valibot'
import { BackendsSchema } from './backend-schema.ts'
import { closedObject, setting } from './schema-parts.ts'
import { type SettingName, type Settings, settingList } from './settings.ts'
import { TUNING_ENTRIES } from './tuning-schema.ts'

type FileSchemaOf<Name extends SettingName> = Exclude<Settings[Name]['fileSchema'], undefined>

type SettingEntries = {
  [Name in SettingName as FileSchemaOf<Name> extends false
    ? never
    : Settings[Name]['key']]: v.ExactOptionalSchema<Exclude<FileSchemaOf<Name>, false>, undefined>
}

// `fromEntries` loses which key has which schema; both come from the one list of settings.
const settingEntries = Object.fromEntries(
  settingList.flatMap(([, { key, words, schema, fileSchema = schema }]) =>
    fileSchema === false ? [] : [[key, setting(fileSchema, `${words}.`)]],
  ),
) as unknown as SettingEntries

/** The configuration file. Secrets have no place in it: it names the variables that hold them. */
export const ConfigFileSchema = closedObject(
  {
    $schema: setting(v.string('the address of the schema'), 'For editors; not read.'),
    ...settingEntries,
    backends: setting(
      BackendsSchema,
      'The servers that answer, in order of preference. Default: one KoboldCPP on http://localhost:5001/api.',
    ),
    ...TUNING_ENTRIES,
  },
  'the configuration',
)

/** A configuration file, read and checked. */
export type ConfigFile = v.InferOutput<typeof ConfigFileSchema>
