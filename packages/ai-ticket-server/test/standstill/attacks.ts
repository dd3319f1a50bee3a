import { connect, type Socket } from 'node:net'
import { setTimeout as nextTurn } from 'node:timers/promises'
import type { AttackedServer } from './attacked-server.ts'

/** What a caller can try, at its worst. */
export interface Attack {
  readonly name: string
  /** Only where AI_TICKET_LONG is 1. */
  readonly isLong?: boolean
  run(server: AttackedServer): Promise<unknown>
}

const IS_LONG = process.env.AI_TICKET_LONG === '1'
const MIB = 1_024 * 1_024
/** A little less than the largest body. */
const MOST = 16 * MIB - 1_000

/** As many parts as fit. */
const fill = (open: string, part: (index: number) => string, close: string): string => {
  const parts: string[] = []
  for (let length = open.length + close.length, index = 0; ; index++) {
    const next = part(index)
    length += next.length + 1
    if (length > MOST) return `${open}${parts.join(',')}${close}`
    parts.push(next)
  }
}

const long = (open: string, unit: string, close: string): string =>
  open + unit.repeat(Math.floor((MOST - open.length - close.length) / Buffer.byteLength(unit))) + close

/** Bodies at the limit; each goes to every door. */
const BODIES: readonly { readonly name: string; readonly isLong?: boolean; make(): string }[] = [
  {
    name: 'a million keys',
    make: () => fill('{"content":"x","metadata":{', (index) => `"k${index}":1`, '}}'),
  },
  {
    name: 'eight million values',
    make: () => fill('{"content":"x","parameters":{"stop":[', () => '1', ']}}'),
  },
  { name: 'brackets', make: () => '['.repeat(MOST) },
  { name: 'one long text', make: () => long('{"content":"', 'x', '"}') },
  {
    name: 'as many keys as are taken',
    make: () =>
      long(
        `{"metadata":{${Array.from({ length: 9_900 }, (_, index) => `"key ${index}":[1,2,3]`).join()}},"content":"`,
        'x',
        '"}',
      ),
  },
  { name: 'a text of JSON', isLong: true, make: () => fill('{"content":"[', () => '{}', ']"}') },
  { name: 'a text of escapes', isLong: true, make: () => long('{"content":"', '\\"', '"}') },
  { name: 'a text of two bytes', isLong: true, make: () => long('{"content":"', '漢', '"}') },
  { name: 'a field that nobody reads', isLong: true, make: () => long('{"content":"x","junk":"', 'x', '"}') },
  { name: 'a long number', isLong: true, make: () => long('{"content":"x","metadata":{"n":', '1', '}}') },
  {
    name: 'long numbers',
    isLong: true,
    make: () => fill('{"content":"x","m":[', () => `${'9'.repeat(400)}.5e-9`, ']}'),
  },
  { name: 'white space', isLong: true, make: () => long('{"content":"x"', ' ', '}') },
  { name: 'a fault at the end', isLong: true, make: () => long('{"content":"', 'x', '"') },
  { name: 'fences', isLong: true, make: () => long('{"content":"', '```\\n', '"}') },
  {
    name: 'messages',
    isLong: true,
    make: () => fill('{"messages":[', () => `{"role":"user","content":"${'x'.repeat(4_000)}"}`, ']}'),
  },
]

const DOORS = [
  { path: '/event', headers: {} },
  { path: '/event', headers: { accept: 'text/event-stream' } },
  { path: '/event', headers: { prefer: 'respond-async' } },
  { path: '/event', headers: { 'idempotency-key': 'k' } },
  { path: '/event', headers: { 'ce-specversion': '1.0', 'ce-id': '1', 'ce-source': '/a', 'ce-type': 't' } },
  { path: '/event', headers: { 'content-type': 'application/cloudevents+json' } },
  { path: '/event', headers: { 'content-type': 'application/cloudevents-batch+json' } },
  { path: '/tickets', headers: {} },
  { path: '/tickets/prune', headers: {} },
  { path: '/v1/chat/completions', headers: {} },
  { path: '/v1/completions', headers: {} },
]

const bodies: Attack[] = BODIES.filter(({ isLong }) => IS_LONG || !isLong).map(({ name, make }) => ({
  name: `${name}, at every door`,
  async run({ post }) {
    const body = make()
    // The short form goes through three doors, so that the whole takes seconds.
    for (const { path, headers } of IS_LONG
      ? DOORS
      : [DOORS[0], DOORS[5], DOORS[9]].flatMap((door) => door ?? []))
      await post(path, body, headers)
  },
}))

const list = <Item>(length: number, make: (index: number) => Item): Item[] =>
  Array.from({ length }, (_, index) => make(index))

/** Schemas that multiply with an answer of a megabyte. */
const SCHEMAS = [
  {
    schema: { items: { enum: list(5_000, (a) => ({ a })) } },
    answer: JSON.stringify(list(100_000, (a) => ({ a: a % 9 }))),
  },
  {
    schema: { items: { anyOf: list(400, (index) => ({ type: 'string', maxLength: index })) } },
    answer: JSON.stringify(list(200_000, () => 1)),
  },
  {
    schema: { items: { $ref: '#/$defs/a' }, $defs: { a: { required: list(5_000, (index) => `n${index}`) } } },
    answer: JSON.stringify(list(300_000, () => ({}))),
  },
]

const schemas: Attack = {
  name: 'the worst schemas',
  async run(server) {
    for (const { schema, answer } of SCHEMAS) {
      server.answers(answer.slice(0, 1_000_000))
      const type = { type: 'json_schema', json_schema: { name: 'a', schema } }
      await server.post('/event', JSON.stringify({ content: 'x', schema }))
      await server.post(
        '/v1/chat/completions',
        JSON.stringify({ messages: [{ role: 'user', content: 'x' }], response_format: type }),
      )
    }
    server.answers('Hello.')
  },
}

const POLL_MS = 20
const WAITING = IS_LONG ? 40 : 14

const waiting: Attack = {
  name: `${WAITING} events of 15.5 MiB that wait`,
  async run(server) {
    const letGo = server.hold()
    const body = long('{"content":"x","junk":"', 'x', '"}').slice(0, 15.5 * MIB)
    const whole = `${body.slice(0, -2)}"}`
    let settled = 0
    const replies = list(WAITING, () => server.post('/event', whole).finally(() => settled++))
    while (settled + (await server.inHand()) < WAITING) await nextTurn(POLL_MS)
    if (settled === WAITING) throw new Error('All were answered: nobody waited.')
    letGo()
    const statuses = await Promise.all(replies)
    if (!statuses.includes(503)) throw new Error(`None was refused: ${statuses.join()}.`)
    if (!statuses.includes(200)) throw new Error(`None was answered: ${statuses.join()}.`)
  },
}

const WATCHERS = IS_LONG ? 2_000 : 200
const READERS = IS_LONG ? 200 : 60

interface Reader {
  readonly socket: Socket
  /** Reads the rest. */
  drain(): void
  /** Resolves with the first bytes of the answer, of which no more than a buffer is read, or when the server has closed. */
  readonly answered: Promise<void>
  /** Resolves when the server has closed: the answer is whole, or was cut off. */
  readonly closed: Promise<void>
}

function openReader(server: AttackedServer, path: string, accept: string): Reader {
  const socket = connect(server.port, '127.0.0.1')
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  const readable = new Promise<void>((resolve) => socket.once('readable', () => resolve()))
  socket.on('error', () => {})
  socket.write(`GET ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\naccept: ${accept}\r\n\r\n`)
  // A socket that somebody asks whether it is readable does not flow.
  const drain = () => void socket.removeAllListeners('readable').resume()
  return { socket, closed, drain, answered: Promise.race([readable, closed]) }
}

const watchers: Attack = {
  name: `${WATCHERS} watchers of one ticket`,
  async run(server) {
    const letGo = server.hold()
    const { id } = await server.ticket(JSON.stringify({ content: `x${'y'.repeat(MIB)}` }))
    // Who waits has no answer yet; but each is connected before a stream that has one.
    const waiters = list(WATCHERS / 2, () =>
      openReader(server, `/tickets/${id}?wait=30s`, 'application/json'),
    )
    const streams = list(WATCHERS / 2, () => openReader(server, `/tickets/${id}`, 'text/event-stream'))
    await Promise.all(streams.map(({ answered }) => answered))
    for (const { drain } of [...waiters, ...streams]) drain()
    letGo()
    await Promise.all([...waiters, ...streams].map(({ closed }) => closed))
  },
}

const readers: Attack = {
  name: `${READERS} readers of 8 MiB who do not read`,
  async run(server) {
    const { id } = await server.ticket(JSON.stringify({ content: 'x'.repeat(8 * MIB) }))
    const opened: Socket[] = []
    for (let count = 0; count < READERS; count++) {
      const { socket, answered } = openReader(server, `/tickets/${id}`, 'application/json')
      opened.push(socket)
      // One after the other: reads of a ticket at the same moment would be one.
      await answered
    }
    for (const socket of opened) socket.destroy()
  },
}

const search: Attack = {
  name: 'the worst search',
  async run(server) {
    const text = 'a'.repeat(IS_LONG ? 8 * MIB : 2 * MIB)
    for (let count = 0; count < (IS_LONG ? 20 : 4); count++)
      await server.ticket(JSON.stringify({ content: text }))
    const pattern = `${'a'.repeat(255)}b`
    await server.get(`/tickets?text=${pattern}&limit=200`)
    await server.get('/tickets?limit=200')
  },
}

export const ATTACKS: readonly Attack[] = [...bodies, schemas, waiting, watchers, readers, search]
