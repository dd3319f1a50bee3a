import type { FastifyRequest } from 'fastify'

/**
 * Whose generation it is: the name of the API key and the address together. Several browsers may share one key, and
 * several users one address.
 */
export const callerIn = (request: FastifyRequest): string =>
  JSON.stringify([request.server.keyNameOf(request) ?? '', request.ip])
