/** The body of `GET /config`: every setting of this server, and where its value came from. */
export interface ConfigBody {
  /** Always `config`. */
  object: 'config'
  /** Of this state of the settings: another one means that something else is set. Secrets count only as set or not set. */
  revision: string
  /** In the order of the configuration file. */
  settings: SettingBody[]
}

/** A setting under its name in the configuration file, like `port` or `backends.big.url`. */
export interface SettingBody {
  /** Its name in the file, with dots. */
  key: string
  /** What it is; of a secret, `***`. */
  value: unknown
  /** What the server runs with until it is restarted. Absent: that is `value`. */
  running?: unknown
  /** Where the value came from. `name` is the flag, the variable or the file; `console`: `PATCH /config`. */
  origin: { kind: 'flag' | 'environment' | 'file'; name: string } | { kind: 'console' } | { kind: 'default' }
  /** What it is where nobody sets it; null: it has no default. */
  default: unknown
  /** Whether `value` is masked. */
  secret: boolean
  /** Whether a change takes effect while the server runs; false: after a restart. */
  live: boolean
  /** Whether a flag or a variable sets it, so that neither the file nor `PATCH /config` has a say. */
  locked: boolean
  /** What it may be, as JSON Schema. Some checks are code, and not in it. */
  schema: { [name: string]: unknown }
  /** What it sets, in a sentence. */
  summary: string
}

/** A setting that was changed while the server ran. Secrets are masked. */
export interface ConfigChangeBody {
  /** When. */
  at: string
  /** Whose API key; without one, the address. */
  by: string
  /** The setting, like `retries.attempts`; `backends.big` is a whole backend. */
  key: string
  /** What it was; null: it was not there. */
  before: unknown
  /** What it is since; null: it is not there any more. */
  after: unknown
}

/** The body of `GET /config/changes`: the latest 500, newest first. */
export interface ConfigChangeListBody {
  /** Always `list`. */
  object: 'list'
  /** Newest first. */
  data: ConfigChangeBody[]
}

/** A change that has just been made. */
export interface MadeChangeBody extends ConfigChangeBody {
  /** False: it takes effect after a restart. */
  live: boolean
}

/** The answer to `PATCH /config`. */
export interface ChangedConfigBody {
  /** Always `changed_config`. */
  object: 'changed_config'
  /** Of the settings as they are now. */
  revision: string
  /** What has changed, in the order of the request. */
  changes: MadeChangeBody[]
}
