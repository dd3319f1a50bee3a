import { writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Call, Contender, Program, ProgramPlace } from './contender.ts'

const PROMPT = 'Tell me about Lily.'
const PARAMETERS = { max_tokens: 24, temperature: 0.7 }
const JSON_TYPE = { 'content-type': 'application/json' }
/** More than the connections of any measurement, so that no event waits in line. */
const WIDE_OPEN = 256

export const DIRECT = 'direct'
export const BARE_PROXY = 'bare proxy'
export const AI_TICKET = 'ai-ticket-server'
const AI_TICKET_LOGGING = 'ai-ticket-server, log level info'
const AI_TICKET_WITHOUT_HISTORY = 'ai-ticket-server, no history'
const AI_TICKET_EARLIER = 'ai-ticket-server, earlier'
export const PORTKEY = '@portkey-ai/gateway'

export const direct: Contender = {
  name: DIRECT,
  healthPath: '/api/extra/version',
  plain: chat({ stream: false }),
  stream: chat({ stream: true }),
}

export const bareProxy: Contender = {
  ...direct,
  name: BARE_PROXY,
  healthPath: '/health',
  program: ({ port, backendUrl }) => ({
    args: [sourceFile('servers/bare-proxy.mjs'), String(port), backendUrl],
  }),
}

/** The published bin, as `npx ai-ticket-server` runs it. The proxy logs nothing, so the log is quiet here, too. */
export const aiTicket: Contender = {
  name: AI_TICKET,
  healthPath: '/health',
  plain: event({}),
  stream: event({ accept: 'text/event-stream' }),
  program: (place) => aiTicketServer(place, 'warning'),
}

/** With the log level that it has unless told otherwise: two lines for every event. */
export const aiTicketLogging: Contender = {
  ...aiTicket,
  name: AI_TICKET_LOGGING,
  program: (place) => ({ ...aiTicketServer(place, 'info'), keepsLog: true }),
}

/** It writes nothing down, like the proxy, and like the server before there were tickets. */
export const aiTicketWithoutHistory: Contender = {
  ...aiTicket,
  name: AI_TICKET_WITHOUT_HISTORY,
  program: (place) => withEnvironment(aiTicketServer(place, 'warning'), { AI_TICKET_HISTORY: 'off' }),
}

/** The server of another checkout, installed and built: whether this one has become slower. */
export const aiTicketEarlier = (folder: string): Contender => ({
  ...aiTicket,
  name: AI_TICKET_EARLIER,
  program: (place) => aiTicketServer(place, 'warning', join(resolve(folder), BIN)),
})

/**
 * The gateway decides by headers where a request goes. As npm installs it (with @hono/node-server 1.19) it answers
 * every stream with status 500, for it changes headers that cannot be changed.
 */
export const portkey = (startScript: string, backendUrl: string): Contender => {
  const headers = { 'x-portkey-provider': 'openai', 'x-portkey-custom-host': `${backendUrl}/v1` }
  return {
    name: PORTKEY,
    healthPath: '/',
    plain: chat({ stream: false }, headers),
    program: ({ port }) => ({ args: [startScript, `--port=${port}`, '--headless'] }),
  }
}

/** Of the build, as `npx ai-ticket-server` runs it. */
export const SERVER_BIN = fileURLToPath(new URL('../../../ai-ticket-server/dist/serve.js', import.meta.url))
const BIN = 'packages/ai-ticket-server/dist/serve.js'

function aiTicketServer(
  { port, backendUrl, folder }: ProgramPlace,
  logLevel: string,
  bin = SERVER_BIN,
): Program {
  const config = join(folder, 'ai-ticket.json')
  const backend = { name: 'backend', type: 'kobold', url: backendUrl, concurrency: WIDE_OPEN }
  writeFileSync(config, JSON.stringify({ backends: [backend] }))
  const args = [bin, '--port', String(port), '--config', config, '--log-level', logLevel]
  return { args, environment: { AI_TICKET_DATA_DIR: folder } }
}

export const withEnvironment = (program: Program, environment: Record<string, string>): Program => ({
  ...program,
  environment: { ...program.environment, ...environment },
})

function chat(more: { stream: boolean }, headers: Record<string, string> = {}): Call {
  const messages = [{ role: 'user', content: PROMPT }]
  return {
    path: '/v1/chat/completions',
    headers: { ...JSON_TYPE, authorization: 'Bearer none', ...headers },
    body: JSON.stringify({ model: 'whatever', messages, ...PARAMETERS, ...more }),
  }
}

function event(headers: Record<string, string>): Call {
  return {
    path: '/event',
    headers: { ...JSON_TYPE, ...headers },
    body: JSON.stringify({ content: PROMPT, parameters: PARAMETERS }),
  }
}

/** `name`: its path below the sources of the bench. */
export const sourceFile = (name: string): string => fileURLToPath(new URL(`../${name}`, import.meta.url))
