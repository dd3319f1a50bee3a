import type { Scope } from '@ai-ticket/http-server'

/** The body of `GET /me`: who asks, and what this server is. Times are ISO 8601. */
export interface CallerBody {
  /** Always `caller`. */
  object: 'caller'
  /** The name of the API key; null without one, or where none are wanted. */
  name: string | null
  /** What the caller may do; `admin` brings the others along. Where no keys are wanted: everything. */
  scopes: Scope[]
  /** Whether callers have to show an API key. */
  keys: boolean
  /** Of this server. */
  version: string
  /** The name of this server among those on one store. */
  worker: string
  /** When this process began to serve. */
  started_at: string
  /** Where the tickets are. */
  store: 'sqlite' | 'postgres' | 'none'
  /** What is kept of events that are answered at once. */
  history: 'full' | 'metadata' | 'off'
  /** Whether events may name a `callback_url`. */
  callbacks: boolean
}
