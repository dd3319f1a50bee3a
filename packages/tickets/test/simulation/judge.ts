import type { SimulatedProcess } from './process.ts'
import type { World } from './simulate.ts'
import type { Commit, HadOutcome, SeenTicket, Story } from './story.ts'

/** What must not be in a world; empty: every promise was kept. */
export function judgeWorld(world: World): readonly string[] {
  const stories = commitsByTicket(world.story)
  return [
    ...world.story.surprises,
    ...acceptViolations(world, stories),
    ...[...stories].flatMap(([id, commits]) => ticketViolations(id, commits, world)),
    ...world.story.outcomes.flatMap((had) => outcomeViolations(had, stories.get(had.ticketId) ?? [], world)),
    ...callbackViolations(world, stories),
  ]
}

type ByTicket = ReadonlyMap<string, readonly Commit[]>

function commitsByTicket({ commits }: Story): ByTicket {
  const found = new Map<string, Commit[]>()
  for (const commit of commits) {
    const id = (commit.after ?? commit.before)?.id ?? ''
    found.set(id, [...(found.get(id) ?? []), commit])
  }
  return found
}

const isFinished = (ticket: SeenTicket | undefined) => ticket?.finishedAt !== undefined

/** What a caller was told of an accept is true. */
function acceptViolations({ story, tickets }: World, stories: ByTicket): string[] {
  const found: string[] = []
  const all = [...stories.values()]
  const created = all.flatMap(([first]) => (first?.before === undefined ? [first?.after] : []))
  for (const { eventId, answer, ticketId } of story.accepts) {
    const isThere = created.some((one) => one?.eventId === eventId)
    if (answer === 'refused' && isThere) found.push(`${eventId}: "Nothing was accepted", and it was`)
    if (answer === 'full' && isThere) found.push(`${eventId}: the line was full, and it was accepted`)
    if (ticketId === undefined) continue
    const commits = stories.get(ticketId) ?? []
    if (commits.length === 0) found.push(`${eventId}: ${ticketId} was promised and never written`)
    const isRemoved = commits.some(({ after }) => after === undefined)
    if (!isRemoved && !tickets.some(({ id }) => id === ticketId))
      found.push(`${ticketId} was promised and is lost`)
  }
  const keys = new Map<string, Set<string>>()
  for (const { key, eventId } of story.accepts) {
    const ticket = created.find((one) => one?.eventId === eventId)
    if (key === undefined || ticket === undefined) continue
    if (stories.get(ticket.id)?.some(({ after }) => after === undefined)) continue
    keys.set(key, (keys.get(key) ?? new Set()).add(ticket.id))
  }
  for (const [key, ids] of keys) if (ids.size > 1) found.push(`${key} has ${ids.size} tickets`)
  return found
}

/** The story of one ticket: forward only, one end, no theft, no crash without a death, no removal before its time. */
function ticketViolations(id: string, commits: readonly Commit[], world: World): string[] {
  const found: string[] = []
  for (const [index, commit] of commits.entries()) {
    const { before, after, at } = commit
    if (after === undefined) {
      found.push(...removalViolations(id, commit, world))
      continue
    }
    if (before === undefined) continue
    if (isFinished(before) && JSON.stringify(before) !== JSON.stringify(after)) {
      found.push(`${id} changed at ${at} although it had ended`)
    }
    if (after.token < before.token) found.push(`${id}: its token fell at ${at}`)
    if (isAdoption(commit)) found.push(...adoptionViolations(id, commits, index, world))
    const isGivenUp = isFinished(after) && /The server died \d/.test(after.outcome ?? '')
    if (after.crashes > before.crashes || isGivenUp) found.push(...crashViolations(id, commits, index, world))
  }
  return found
}

function removalViolations(id: string, { before, at }: Commit, { plan }: World): string[] {
  if (!isFinished(before)) return [`${id} was removed at ${at} and had not ended`]
  if (plan.keep === undefined) return [`${id} was removed at ${at}, days too early`]
  return before?.status === 'failed' ? [`${id} was removed at ${at} and is a dead letter`] : []
}

const isAdoption = ({ before, after }: Commit) =>
  before?.status === 'in_progress' && after?.status === 'in_progress' && after.token > before.token

const processOf = ({ processes }: Story, session: string | undefined): SimulatedProcess | undefined =>
  processes.find((one) => one.session !== undefined && one.session === session)

/** Why a ticket could be taken from its holder at that moment; undefined: it was not dead at all. */
function deathOf(
  commits: readonly Commit[],
  index: number,
  { story, plan }: World,
): 'dead' | 'name lost' | 'lease over' | undefined {
  const commit = commits[index]
  const holder = processOf(story, commit?.before?.session)
  if (commit === undefined || holder === undefined) return 'dead'
  if (holder.diedAt !== undefined && holder.diedAt <= commit.at) return 'dead'
  const isNamesake = holder !== commit.by && holder.worker === commit.by.worker
  if (isNamesake && holder.nameLostAt !== undefined && holder.nameLostAt <= commit.at) return 'name lost'
  const leasedAt = commits.slice(0, index).findLast((one) => isLease(one))?.at ?? 0
  if (commit.at - leasedAt >= plan.leaseMs * 0.95) return 'lease over'
  // A server that starts just when somebody sets the clock of the database cannot know by which clock a lease was written.
  const { startedAt, clockLooks } = commit.by
  const [before = 0, last = 0] = clockLooks.filter((at) => at <= commit.at).slice(-2)
  // One that has not looked while it was set and set back cannot, either.
  if (story.clockSetAt.filter((at) => at > before && at <= last).length > 1) return 'lease over'
  // One that was cut off since it was set goes by the old time until its next look.
  const looked = holder.clockLooks.findLast((at) => at <= commit.at) ?? 0
  if (story.clockSetAt.some((at) => at > looked && commit.at - at > plan.leaseMs)) return 'lease over'
  const isNew = story.clockSetAt.some(
    (at) => startedAt >= at - 2_000 && startedAt <= at + plan.leaseMs && leasedAt <= at + plan.leaseMs,
  )
  return isNew ? 'lease over' : undefined
}

/** The ticket is on its way from a dead process back to the queue. */
const isRecovered = (commits: readonly Commit[], index: number) => {
  const token = commits[index]?.before?.token
  return commits.slice(0, index).some((one) => isAdoption(one) && one.after?.token === token)
}

const isLease = ({ before, after }: Commit) =>
  after?.status === 'in_progress' &&
  (before?.status !== 'in_progress' || after.token > before.token || after.leaseUntil !== before.leaseUntil)

/** Of a statement and its answer. */
const LONGEST_WAY_MS = 1_000

function adoptionViolations(id: string, commits: readonly Commit[], index: number, world: World): string[] {
  const { before, by, at } = commits[index] as Commit
  const { story } = world
  const heard = story.heardClaims.get(`${id} ${before?.token}`)
  // Not one whose answer arrives while it is taken up again.
  const isHeard = heard?.by === by && heard.at < at - LONGEST_WAY_MS
  // It takes over once more what it has taken over before, and has not given back yet.
  if (isRecovered(commits, index)) return []
  if (processOf(story, before?.session) === by && isHeard) {
    return [`${id} was taken at ${at} by process ${by.number} from itself`]
  }
  if (deathOf(commits, index, world) !== undefined) return []
  return [`${id} was taken at ${at} from a process that lives and has a lease`]
}

function crashViolations(id: string, commits: readonly Commit[], index: number, world: World): string[] {
  const crash = commits[index] as Commit
  const takenOver = commits.slice(0, index).findLastIndex(isAdoption)
  if (takenOver < 0) return [`${id}: a crash was counted at ${crash.at}, and nobody took it over before`]
  for (let adopted = takenOver; adopted >= 0; ) {
    const adoption = commits[adopted] as Commit
    // One that was claimed and never heard of is no crash, where the same process takes it up again.
    const isOwn = processOf(world.story, adoption.before?.session) === adoption.by
    if (!isOwn && deathOf(commits, adopted, world) !== undefined) return []
    if (!isRecovered(commits, adopted)) break
    adopted = commits.slice(0, adopted).findLastIndex(isAdoption)
  }
  return [`${id}: a crash was counted at ${crash.at}, and nobody had died`]
}

/** What a desk was given it records, unless it dies or the ticket was another's by then. */
function outcomeViolations(had: HadOutcome, commits: readonly Commit[], { story }: World): string[] {
  const { by, ticketId, token, outcome, at } = had
  const isLost = commits.some(
    ({ before, after }) =>
      (before?.token ?? 0) === token &&
      (after?.token ?? 0) > token &&
      isAdoption({ before, after } as Commit),
  )
  const end = commits.find(
    (commit) => commit.at >= at && commit.before?.token === token && commit.after?.status !== 'in_progress',
  )
  if (end === undefined) {
    const isDead = by.diedAt !== undefined && by.diedAt >= at
    return isDead || isLost ? [] : [`${ticketId}: an outcome was there at ${at}, and was never recorded`]
  }
  if (!('completion' in outcome) || end.by !== by || story.cancelled.has(ticketId)) return []
  const isRecorded = end.after?.outcome?.includes(JSON.stringify(outcome.completion))
  return isRecorded ? [] : [`${ticketId}: an answer was there at ${at}, and something else was recorded`]
}

/** One callback per end: never before it, always the same, and none after it was delivered. */
function callbackViolations({ story, tickets, deliveries }: World, stories: ByTicket): string[] {
  const found: string[] = []
  for (const ticket of tickets) {
    if (!('outcome' in ticket.state)) continue
    const delivery = deliveries.find(({ ticketId }) => ticketId === ticket.id)
    const isAsked = ticket.callbackUrl !== undefined
    if (isAsked !== (delivery !== undefined))
      found.push(`${ticket.id} has ended and its callback is not there`)
    if (delivery?.status === 'pending') found.push(`${ticket.id}: its callback was never sent to the end`)
  }
  for (const [id, commits] of stories) {
    const posts = story.posts.filter(({ ticketId }) => ticketId === id)
    const endedAt = commits.find(({ after }) => isFinished(after))?.at ?? Number.POSITIVE_INFINITY
    if (posts.some(({ at }) => at < endedAt)) found.push(`${id} was called back before its end`)
    if (new Set(posts.map(({ webhookId, body }) => webhookId + body)).size > 1) {
      found.push(`${id} was called back in more than one way`)
    }
    const done = story.recordedPosts.find(
      ({ ticketId, status, isHeld }) => ticketId === id && status !== 'pending' && isHeld,
    )
    if (done && !story.resent.has(id) && posts.some(({ at }) => at > done.at)) {
      found.push(`${id} was called back again after its callback was ${done.status}`)
    }
  }
  return found
}
