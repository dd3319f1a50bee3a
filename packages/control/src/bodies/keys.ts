import type { Scope } from '@ai-ticket/http-server'

/** The body of `GET /keys`: who may ask. The keys themselves are not shown. */
export interface KeyListBody {
  /** Always `list`. */
  object: 'list'
  /** In the order of the configuration; empty where no keys are wanted. */
  data: KeyBody[]
}

/** An API key. */
export interface KeyBody {
  /** Whose it is, in logs, in the line and on tickets; keys of one name share these. */
  name: string
  /** What it may do; `admin` is everything. */
  scopes: Scope[]
  /** Requests that it may send; null: as many as it likes. `burst` may come at once. */
  rate_limit: { requests: number; window_ms: number; burst: number } | null
  /** Requests that would be let in now; keys of one name share them. Absent: there is no limit. */
  left?: number
  /** When this server last saw it. Absent: not since its start. */
  last_seen_at?: string
  /** Of its events that name no priority. Absent: what `priorities` says of their API. */
  priority?: number
  /** The highest priority that its events get, whatever they ask for. Absent: 100. */
  max_priority?: number
}
