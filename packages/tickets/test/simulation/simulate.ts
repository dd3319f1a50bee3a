import { type Choice, createChoice, createVirtualClock, type VirtualClock } from '@ai-ticket/testkit'
import { refusalOf } from '../../src/http/accept-event.ts'
import type { Delivery, NewTicket, StoreUnavailable, Ticket } from '../../src/index.ts'
import { isFinished } from '../../src/ticket/ticket.ts'
import { modelPostgres } from './model-postgres.ts'
import { modelSqlite } from './model-sqlite.ts'
import { type Act, type Kind, type Plan, planWorld } from './plan.ts'
import { type Machine, SimulatedProcess } from './process.ts'
import { isUnavailable, RECEIVERS, type RunningServer, startServer } from './server.ts'
import { type HeardAccept, newStory, type Story } from './story.ts'
import type { Database, Fate, WorldParts } from './world.ts'

export interface World {
  readonly plan: Plan
  readonly story: Story
  /** What the store holds at the end. */
  readonly tickets: readonly Ticket[]
  readonly deliveries: readonly Delivery[]
}

export interface SimulationParts {
  readonly openDatabase?: (parts: WorldParts) => Database
  /** Answers a callback, in the place of the network. */
  readonly answerPosts: (answer: (post: AskedPost) => Promise<number>) => void
}

export interface AskedPost {
  readonly url: string
  readonly webhookId: string
  readonly body: string
  /** Of the process that sends it. */
  readonly number: number
  readonly signal: AbortSignal
}

const STEP_MS = 500
/** Whatever waits for longer than this, while somebody could claim it all the time, was forgotten. */
const LONGEST_WAIT_MS = 10_000
/** The same for what a dead process held: a lease, the pause after a failure, and a generation that is slow to stop. */
const LONGEST_ORPHAN_MS = 40_000 + 25_000
/** After the last trouble everything has ended by then. */
const LONGEST_END_MS = 900_000

const PROMISES = () => new Promise<void>((resolve) => process.nextTick(resolve))

export async function simulate(seed: number, kind: Kind, parts: SimulationParts): Promise<World> {
  const choice = createChoice(seed)
  const plan = planWorld(choice, kind)
  const clock = createVirtualClock(kind === 'sqlite_file' ? {} : { settle: PROMISES })
  const simulation = new Simulation({ plan, choice: createChoice(seed + 1_000_000), clock, parts })
  return await simulation.run()
}

interface Slot {
  readonly worker: string
  readonly machine: Machine
  server: RunningServer | undefined
  isStarting: boolean
  /** Not before. */
  startsAt: number
  /** It is an extra one, and nobody starts it again. */
  readonly isGuest: boolean
}

class Simulation {
  readonly #plan: Plan
  readonly #choice: Choice
  readonly #clock: VirtualClock
  readonly #story: Story = newStory()
  readonly #database: Database
  readonly #slots: Slot[] = []
  readonly #waiting = new Map<string, { since: number; runs: number; limitMs: number }>()
  readonly #orphaned = new Map<string, number>()
  readonly #readySince = new Map<SimulatedProcess, number>()
  /** When each jump of a clock was. */
  readonly #jumps: number[] = []
  #isFaulty = true
  #awaySince = 0

  constructor(given: { plan: Plan; choice: Choice; clock: VirtualClock; parts: SimulationParts }) {
    const { plan, choice, clock, parts } = given
    this.#plan = plan
    this.#choice = choice
    this.#clock = clock
    const open = parts.openDatabase ?? (plan.kind === 'postgres' ? modelPostgres : modelSqlite)
    this.#database = open({
      ...{ clock, story: this.#story, capacity: plan.capacity },
      fate: (process) => this.#fate(process),
      latencyMs: () => (this.#choice.happens(0.1) ? this.#choice.between(1, 300) : 0),
    })
    parts.answerPosts((post) => this.#receive(post))
    for (let slot = 0; slot < plan.servers; slot++) this.#addSlot(`server ${slot}`, false)
  }

  async run(): Promise<World> {
    const acts = [...this.#plan.acts]
    for (let at = 0; at < this.#plan.lengthMs; at += STEP_MS) {
      while (acts[0] && acts[0].atMs <= at) this.#do(acts.shift()?.act as Act)
      await this.#step()
    }
    this.#healAll()
    await this.#untilAllEnded()
    for (const { server } of this.#slots) server?.process.die()
    const tickets = await this.#database.tickets()
    const deliveries = await this.#database.deliveries()
    await this.#database.close()
    return { plan: this.#plan, story: this.#story, tickets, deliveries }
  }

  #addSlot(worker: string, isGuest: boolean, machine: Machine = { shiftMs: 0 }): Slot {
    const slot = { worker, machine, server: undefined, isStarting: false, startsAt: 0, isGuest }
    this.#slots.push(slot)
    return slot
  }

  async #step(): Promise<void> {
    for (const slot of this.#slots) this.#supervise(slot)
    await this.#clock.advance(STEP_MS)
    await this.#watchQueue()
  }

  /** Whoever watches over the program starts it again. */
  #supervise(slot: Slot): void {
    if (slot.server && !slot.server.process.isAlive) {
      slot.server = undefined
      slot.startsAt = Math.max(slot.startsAt, this.#clock.now() + 1_000)
    }
    if (slot.server || slot.isStarting || this.#clock.now() < slot.startsAt) return
    void this.#start(slot)
  }

  async #start(slot: Slot): Promise<void> {
    slot.isStarting = true
    const process = new SimulatedProcess({
      ...{ number: this.#story.processes.length, worker: slot.worker },
      ...{ machine: slot.machine, clock: this.#clock },
    })
    this.#story.processes.push(process)
    process.watch(() => {
      if (!process.isAlive) slot.isStarting = false
    })
    try {
      slot.server = await startServer(process, {
        ...{ database: this.#database, choice: this.#choice, story: this.#story, tuning: this.#plan },
        isFaulty: () => this.#isFaulty,
      })
    } catch (error) {
      if (!isUnavailable(error)) this.#surprise('A server did not start', error)
      process.die()
      slot.startsAt = slot.isGuest ? Number.POSITIVE_INFINITY : this.#clock.now() + 2_000
    }
    slot.isStarting = false
  }

  #fate(process: SimulatedProcess): Fate {
    if (!this.#isFaulty || !this.#choice.happens(this.#plan.badCommits)) return 'well'
    if (this.#plan.kind !== 'postgres') return this.#choice.pick(['die_before', 'die_behind'])
    const fate = this.#choice.pick(['die_before', 'die_behind', ...LOST, ...LOST] as const)
    if (fate.startsWith('lost')) this.#breakNetwork(process, 'cut', this.#choice.pick([0, 300, 2_000, 9_000]))
    return fate
  }

  #breakNetwork(process: SimulatedProcess, network: 'cut' | 'silent', ms: number): void {
    process.setNetwork(network)
    const heal = () => process.isAlive && process.setNetwork('well')
    this.#clock.setTimer(heal, ms)
  }

  #do(act: Act): unknown {
    switch (act.type) {
      case 'accept':
        return void this.#accept(act)
      case 'full':
      case 'down':
        return this.#breakDatabase(act)
      case 'jump':
        return this.#jump(act)
      case 'same_name':
        return this.#startNamesake(act)
      case 'cancel':
      case 'replay':
      case 'resend':
        return void this.#wish(act)
      default:
        return this.#trouble(act)
    }
  }

  #trouble({ type, slot: index, ms }: Act & { readonly slot: number; readonly ms: number }): unknown {
    const slot = this.#slots[index]
    const server = slot?.server
    if (slot === undefined || !server?.process.isAlive) return
    if (type === 'cut' || type === 'silent') return this.#breakNetwork(server.process, type, ms)
    slot.startsAt = this.#clock.now() + ms
    if (type === 'kill') server.process.die()
    else if (server.process.isServing) void server.close(ms)
  }

  #breakDatabase({ type, ms }: { readonly type: 'full' | 'down'; readonly ms: number }): void {
    const set = (isBroken: boolean) =>
      type === 'full' ? this.#database.setFull(isBroken) : this.#database.setDown(isBroken)
    set(true)
    this.#clock.setTimer(() => set(false), ms)
  }

  #jump({ slot: index, ms, isBetweenRuns }: Act & { readonly type: 'jump' }): void {
    const slot = this.#slots[index]
    if (slot === undefined) return
    if (isBetweenRuns) {
      slot.server?.process.die()
      slot.startsAt = this.#clock.now() + 1_000
    }
    this.#jumps.push(this.#clock.now())
    slot.machine.shiftMs += ms
    if (this.#choice.happens(0.5)) this.#setDatabaseClock(ms)
  }

  #setDatabaseClock(byMs: number): void {
    this.#story.clockSetAt.push(this.#clock.now())
    this.#database.setClock(byMs)
  }

  /** A second process of one name, as in a rolling update or by mistake: it waits, gives up, or takes over. */
  #startNamesake({ slot: index, ms }: Act & { readonly slot: number; readonly ms: number }): void {
    const slot = this.#slots[index]
    if (slot === undefined) return
    const guest = this.#addSlot(slot.worker, true, slot.machine)
    // Later than any clock of the test: it goes when it is told.
    this.#clock.setTimer(() => {
      guest.startsAt = Number.POSITIVE_INFINITY
      if (guest.server?.process.isAlive) void guest.server.close(0)
    }, ms + 35_000)
  }

  #someServer(): RunningServer | undefined {
    const serving = this.#slots.flatMap(({ server }) => (server?.process.isServing ? [server] : []))
    return serving.length === 0 ? undefined : this.#choice.pick(serving)
  }

  /** A caller who is not told that it was accepted tries again, if there is a key. */
  async #accept({ number, key }: Act & { readonly type: 'accept' }): Promise<void> {
    const given = drawTicket(this.#choice, this.#clock)
    for (let tried = 1; tried <= 4; tried++) {
      const server = this.#someServer()
      const eventId = `event ${number}.${tried}`
      if (server) {
        const heard: HeardAccept = { eventId, ...(key === undefined ? {} : { key }), answer: 'silence' }
        this.#story.accepts.push(heard)
        const patience = new Promise<void>((resolve) => this.#clock.setTimer(resolve, 30_000))
        await Promise.race([patience, this.#ask(server, heard, { ...given, eventId })])
        if (heard.ticketId !== undefined || key === undefined) return
      }
      await new Promise<void>((resolve) => this.#clock.setTimer(resolve, 3_000))
    }
  }

  async #ask(
    { store, process }: RunningServer,
    heard: HeardAccept,
    given: Omit<NewTicket, 'event' | 'caller'>,
  ): Promise<void> {
    const shiftMs = this.#database.shiftMs(process)
    const shifted = (at: number | undefined) => (at === undefined ? undefined : at + shiftMs)
    const { notBefore, expiresAt, ...more } = given
    const [start, end] = [shifted(notBefore), shifted(expiresAt)]
    try {
      const accepted = await store.accept({
        ...{
          ...more,
          caller: '',
          event: { id: heard.eventId, system: systemOf(heard.eventId), content: 'Why?' },
        },
        ...(start === undefined ? {} : { notBefore: start }),
        ...(end === undefined ? {} : { expiresAt: end }),
        ...(heard.key === undefined
          ? {}
          : { idempotency: { scope: '', key: heard.key, fingerprint: 'f', ttlMs: 400 * 86_400_000 } }),
      })
      if (accepted.type === 'conflict') throw new Error('A key was said to be used for another request.')
      heard.answer = accepted.type
      if (accepted.type !== 'full') heard.ticketId = accepted.ticket.id
    } catch (error) {
      if (!isUnavailable(error)) return this.#surprise('An accept failed', error)
      heard.answer = saysNothingWasAccepted(error) ? 'refused' : 'unknown'
    }
  }

  async #wish({ type, draw }: Act & { readonly draw: number }): Promise<void> {
    const tickets = await this.#database.tickets()
    const ticket = tickets[draw % Math.max(1, tickets.length)]
    const server = this.#someServer()
    if (ticket === undefined || server === undefined) return
    const { id } = ticket
    try {
      if (type === 'cancel') {
        this.#story.cancelled.add(id)
        await server.store.cancel(id)
      } else if (type === 'resend') {
        this.#story.resent.add(id)
        await server.store.callbacks.resend(id)
      } else if (isFinished(ticket)) {
        const heard: HeardAccept = {
          eventId: `${ticket.eventId}, again at ${this.#clock.now()}`,
          answer: 'silence',
        }
        this.#story.accepts.push(heard)
        await this.#ask(server, heard, { eventId: heard.eventId, replayOf: id })
      }
    } catch (error) {
      if (!isUnavailable(error)) this.#surprise(`A ${type} failed`, error)
    }
  }

  async #receive({ url, webhookId, body, number, signal }: AskedPost): Promise<number> {
    const by = this.#story.processes[number]
    if (by === undefined) throw new Error('A callback of nobody.')
    const { data } = JSON.parse(body) as { data: { id: string } }
    const post: Story['posts'][number] = { at: this.#clock.now(), by, ticketId: data.id, webhookId, body }
    this.#story.posts.push(post)
    const end = this.#isFaulty && url === RECEIVERS[1] ? this.#choice.between(0, 3) : 0
    if (end === 3) {
      await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
    }
    await new Promise<void>((resolve) => by.clock.setTimer(resolve, this.#choice.between(0, 500)))
    if (end === 2) throw Object.assign(new Error('reset'), { code: 'ECONNRESET' })
    post.status = end === 1 ? 503 : 204
    return post.status
  }

  /** Sees what is due and waits although somebody could claim it, and what nobody takes over. */
  async #watchQueue(): Promise<void> {
    const now = this.#clock.now()
    const ready = this.#slots.flatMap(({ server }) => (server && this.#isReady(server) ? [server] : []))
    for (const process of this.#readySince.keys()) {
      if (!ready.some((server) => server.process === process)) this.#readySince.delete(process)
    }
    for (const { process } of ready) if (!this.#readySince.has(process)) this.#readySince.set(process, now)
    const since = Math.min(...this.#readySince.values())
    const isAway = !this.#slots.some(({ server }) => server?.process.isServing && !this.#isAway(server))
    if (isAway) this.#awaySince = now
    for (const ticket of await this.#database.tickets()) {
      this.#watchDue(ticket, { now, since })
      this.#watchOrphan(ticket, now)
    }
  }

  #isAway = ({ process }: RunningServer): boolean =>
    this.#database.isAway(process) || (process.nameLostAt !== undefined && this.#hasNamesake(process))

  #hasNamesake = (process: SimulatedProcess): boolean =>
    this.#story.processes.some(
      (other) => other !== process && other.isAlive && other.worker === process.worker,
    )

  #isReady(server: RunningServer): boolean {
    return (
      server.process.isServing &&
      !this.#isAway(server) &&
      server.freeSlots() > 0 &&
      server.desk.unrecorded === 0
    )
  }

  #watchDue(
    { id, state, runs }: Ticket,
    { now, since }: { readonly now: number; readonly since: number },
  ): unknown {
    const known = this.#waiting.get(id)
    if (state.status !== 'queued') return void this.#waiting.delete(id)
    if (known?.runs !== runs) {
      // Somebody asked for an hour: that hour it is, by whatever clock the store goes.
      const limitMs =
        state.pausedAt === undefined ? Number.POSITIVE_INFINITY : state.notBefore - state.pausedAt
      this.#waiting.set(id, { since: now, runs, limitMs: Math.max(0, limitMs) })
      return
    }
    // A clock that is set back a little makes a pause longer, by the part of it that has passed already.
    const jumps = this.#jumps.filter((at) => at >= known.since - STEP_MS).length
    const dueAt = known.since + known.limitMs * (1 + jumps)
    if (now - Math.max(dueAt, since) > LONGEST_WAIT_MS) {
      known.limitMs = Number.POSITIVE_INFINITY
      this.#story.surprises.push(
        `${id} was due at ${Math.round(dueAt)}, and waits at ${now} although there was a free slot since ${since}`,
      )
    }
  }

  #watchOrphan({ id, state, token }: Ticket, now: number): unknown {
    const session = state.status === 'in_progress' ? state.owner.session : undefined
    const holder = this.#story.processes.find((one) => one.isAlive && one.session === session)
    const isHeld = holder !== undefined && this.#story.heardClaims.get(`${id} ${token}`)?.by === holder
    if (session === undefined || isHeld) return void this.#orphaned.delete(id)
    const since = Math.max(this.#orphaned.get(id) ?? now, this.#awaySince)
    this.#orphaned.set(id, since)
    if (now - since > LONGEST_ORPHAN_MS + 3 * this.#plan.leaseMs) {
      this.#story.surprises.push(`${id} is held by nobody since ${since}, and nobody takes it over at ${now}`)
      this.#orphaned.set(id, Number.POSITIVE_INFINITY)
    }
  }

  #healAll(): void {
    this.#isFaulty = false
    this.#database.setFull(false)
    this.#database.setDown(false)
    for (const process of this.#story.processes) if (process.isAlive) process.setNetwork('well')
    for (const slot of this.#slots) {
      slot.startsAt = slot.isGuest ? Number.POSITIVE_INFINITY : 0
      if (!this.#plan.clocksAreSetRight || slot.machine.shiftMs === 0) continue
      slot.machine.shiftMs = 0
      this.#jumps.push(this.#clock.now())
    }
    if (this.#plan.clocksAreSetRight) {
      const [first] = this.#story.processes
      if (first && this.#plan.kind === 'postgres') this.#setDatabaseClock(-this.#database.shiftMs(first))
    }
  }

  async #untilAllEnded(): Promise<void> {
    const isEnded = async () => {
      const tickets = await this.#database.tickets()
      const deliveries = await this.#database.deliveries()
      return tickets.every(hasEndedOrWaits) && deliveries.every(({ status }) => status !== 'pending')
    }
    for (let waited = 0; waited < LONGEST_END_MS; waited += STEP_MS) {
      if (await isEnded()) return
      await this.#step()
    }
    const open = (await this.#database.tickets()).filter((ticket) => !hasEndedOrWaits(ticket))
    const unsent = (await this.#database.deliveries()).filter(({ status }) => status === 'pending')
    this.#story.surprises.push(
      `After ${LONGEST_END_MS / 1_000} s without trouble this has not ended: ${JSON.stringify([...open, ...unsent])}`,
    )
  }

  #surprise(what: string, error: unknown): void {
    this.#story.surprises.push(`${what}: ${error instanceof Error ? error.stack : String(error)}`)
  }
}

const LOST = ['lost_before', 'lost_behind'] as const

/** One that asks for an hour may wait for it as long as clocks are wrong. */
const hasEndedOrWaits = (ticket: Ticket) =>
  isFinished(ticket) || (ticket.state.status === 'queued' && ticket.state.pausedAt === undefined)

const saysNothingWasAccepted = (error: StoreUnavailable) => /Nothing was accepted/.test(refusalOf(error))

function drawTicket(choice: Choice, clock: VirtualClock): Omit<NewTicket, 'event' | 'eventId' | 'caller'> {
  const now = clock.wallTime()
  return {
    priority: choice.between(-1, 1),
    ...(choice.happens(0.15) ? { notBefore: now + choice.between(0, 30_000) } : {}),
    ...(choice.happens(0.1) ? { expiresAt: now + choice.between(1_000, 60_000) } : {}),
    ...(choice.happens(0.5) ? { callbackUrl: choice.pick(RECEIVERS) } : {}),
    ...(choice.happens(0.2) ? { wantsStream: true } : {}),
  }
}

/** Two kinds of prompts, so that one may be warm and another one not. */
const systemOf = (eventId: string): string =>
  `Rules ${eventId.length % 2 === Number(eventId.at(-1)) % 2}. `.repeat(50)
