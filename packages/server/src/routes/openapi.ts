import type { FastifyInstance } from 'fastify'
import type { DocumentOptions } from '../openapi/operation.ts'
import type { OpenApiRegistry } from '../openapi/registry.ts'
import { VERSION } from '../version.ts'

/**
 * `GET /openapi.json`: every route of this server, those of its plugins included. Made when it is first asked for.
 * `version`: of the program that serves; default that of this package.
 */
export function addOpenApiRoute(
  server: FastifyInstance,
  registry: OpenApiRegistry,
  {
    version = VERSION,
    ...options
  }: Omit<DocumentOptions, 'version' | 'dialects'> & { readonly version: string | undefined },
): void {
  // Bytes: a text would be copied for every answer, and many at once would stop the server.
  let written: Promise<Buffer> | undefined
  const write = async () => {
    const { openApiDocument } = await import('../openapi/openapi-document.ts')
    const { dialects } = server
    return Buffer.from(
      JSON.stringify(openApiDocument(await registry.describe(), { ...options, version, dialects })),
    )
  }
  const openapi = async () => (await import('../openapi/operations.ts')).getOpenApi
  // Whoever may use any of it may read how.
  const config = { scopes: ['events', 'read'], openapi } as const
  server.get('/openapi.json', { config }, async (_request, reply) => {
    written ??= write()
    return reply.type('application/json; charset=utf-8').send(await written)
  })
}
