import type { Scope } from '@ai-ticket/http-server'

/** Scopes of the API keys that may ask, beside `admin`, which always may. */
export const SEE = ['events', 'read'] as const
export const OPERATE = ['admin'] as const
export const READ = ['read'] as const

/** The description of a route is loaded when it is asked for. */
export const describedAs = (
  name: keyof typeof import('../openapi/control-operations.ts'),
  scopes: readonly Scope[],
) => ({
  scopes,
  openapi: async () => (await import('../openapi/control-operations.ts'))[name],
})
