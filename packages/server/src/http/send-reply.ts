import type { FastifyReply } from 'fastify'
import type { HttpReply } from './reply.ts'

export function sendReply(reply: FastifyReply, { status, headers, body }: HttpReply): FastifyReply {
  return reply.code(status).headers(headers).send(body)
}
