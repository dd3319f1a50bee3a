import { type DeskBody, steerBackend } from '../api/desk.ts'
import { CallerText } from './caller-text.tsx'
import { say } from './notice.tsx'
import styles from './parts.module.css'
import { rowOf, ScrollingTable } from './scrolling-table.tsx'
import { Status } from './status.tsx'
import { clockTime } from './when.tsx'

type Backend = DeskBody['backends'][number]

/** Every backend: how it is, and what was learned of it. `steers`: with buttons that pause and probe it. */
export function BackendTable({
  backends,
  steers = false,
}: {
  readonly backends: readonly Backend[]
  readonly steers?: boolean
}) {
  return (
    <ScrollingTable name="Backends">
      <table class={styles.table}>
        <Head steers={steers} />
        <tbody>
          {backends.map((backend) => (
            <tr key={backend.name} {...rowOf({ name: backend.name })}>
              <td>
                <CallerText text={backend.name} />
              </td>
              <td>
                <Status of={backend.state} />
                {backend.paused && ', paused'}
              </td>
              <td class={styles.numeric}>
                {backend.in_flight}/{backend.concurrency}
              </td>
              <td>{backend.breaker}</td>
              <td class={styles.numeric}>{speed(backend.prompt_tokens_per_second)}</td>
              <td class={styles.numeric}>{speed(backend.completion_tokens_per_second)}</td>
              <td class={styles.numeric}>{backend.repeats_left}</td>
              <td>
                <CallerText text={backend.details ?? backend.models.join(', ')} />
              </td>
              {steers && <SteerCell backend={backend} />}
            </tr>
          ))}
        </tbody>
      </table>
    </ScrollingTable>
  )
}

function Head({ steers }: { readonly steers: boolean }) {
  return (
    <thead>
      <tr>
        <th>backend</th>
        <th>state</th>
        <th class={styles.numeric} title="taken / all">
          slots
        </th>
        <th title="closed: it gets events. open: it failed too often and gets none for a while. half-open: one is tried.">
          breaker
        </th>
        <th class={styles.numeric} title="tokens of prompts a second, learned">
          reads
        </th>
        <th class={styles.numeric} title="tokens of answers a second, learned">
          writes
        </th>
        <th class={styles.numeric} title="repeats after failures that it still gets">
          repeats left
        </th>
        <th>details</th>
        {steers && <th class={styles.act}>steer</th>}
      </tr>
    </thead>
  )
}

function SteerCell({ backend: { name, paused } }: { readonly backend: Backend }) {
  const ways = [paused ? 'resume' : 'pause', 'probe'] as const
  return (
    <td class={styles.act}>
      <span class={styles.steer}>
        {ways.map((action) => (
          // By its place: the button that was pressed keeps the focus, and undoes what it did.
          <button
            key={action === 'probe' ? 'probe' : 'pause'}
            type="button"
            aria-label={`${STEER_WORDS[action]} ${name}`}
            title={action === 'resume' && paused ? pausedWords(paused) : undefined}
            onClick={() => steer(name, action)}
          >
            {STEER_WORDS[action]}
          </button>
        ))}
      </span>
    </td>
  )
}

const pausedWords = ({ since, by }: NonNullable<Backend['paused']>): string =>
  `paused by ${by} since ${clockTime(new Date(since), new Date())}`

export const STEER_WORDS = { pause: 'Pause', resume: 'Resume', probe: 'Probe' } as const

const DONE = {
  pause: 'is paused. What runs there goes on to its end',
  resume: 'is back',
  probe: 'was asked: it is',
} as const

/** Pauses, resumes or probes a backend, and says how that went. */
export async function steer(name: string, action: keyof typeof DONE): Promise<void> {
  const answer = await steerBackend(name, action)
  if (!answer.ok) say(answer.problem.details, true)
  else say(`${name} ${DONE[action]}${action === 'probe' ? ` ${answer.value.state}` : ''}.`)
}

/** Learned, so an estimate. */
const speed = (perSecond: number | undefined): string =>
  perSecond === undefined ? '' : `~${Math.round(perSecond)} tok/s`
