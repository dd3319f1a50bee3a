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
  /** Where the value came from. `name` is the flag, the variable or the file. */
  origin: { kind: 'flag' | 'environment' | 'file'; name: string } | { kind: 'default' }
  /** What it is where nobody sets it; null: it has no default. */
  default: unknown
  /** Whether `value` is masked. */
  secret: boolean
  /** Whether a change takes effect while the server runs; false: after a restart. */
  live: boolean
  /** Whether a flag or a variable sets it, so that the file has no say. */
  locked: boolean
  /** What it may be, as JSON Schema. Some checks are code, and not in it. */
  schema: { [name: string]: unknown }
  /** What it sets, in a sentence. */
  summary: string
}
