import type { Scope } from '@ai-ticket/server'

/** What a route is, is loaded when somebody asks for the description. */
export const describedAs = (
  name: keyof typeof import('../openapi/ticket-operations.ts'),
  scopes: readonly Scope[],
) => ({
  scopes,
  openapi: async () => (await import('../openapi/ticket-operations.ts'))[name],
})
