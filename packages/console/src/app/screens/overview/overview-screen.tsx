import { useEffect } from 'preact/hooks'
import type { DeskBody } from '../../api/desk.ts'
import { titlePage } from '../../frame/about.ts'
import { failedSince } from '../../frame/use-failed.ts'
import { feedState, liveDesk, liveResource } from '../../live/live.ts'
import { screenPath } from '../../navigation.ts'
import { CallerText } from '../../parts/caller-text.tsx'
import { lateDialog } from '../../parts/dialog.tsx'
import { duration } from '../../parts/format.ts'
import { Panel } from '../../parts/panel.tsx'
import parts from '../../parts/parts.module.css'
import { useRowKeys } from '../../parts/scrolling-table.tsx'
import { Status } from '../../parts/status.tsx'
import { type Need, needsOf } from './needs.ts'
import styles from './overview.module.css'
import { Trends } from './trends.tsx'
import { useSeries } from './use-series.ts'

// Below the charts, and not before there are backends to show.
const BackendTable = lateDialog<{
  readonly backends: DeskBody['backends']
  readonly close: () => void
}>(() => import('../../parts/backend-table.tsx').then((late) => late.BackendTable), false)
const nothing = () => {}

/** Whether all is well, and where to go when it is not. */
export function OverviewScreen() {
  const desk = liveDesk.value
  const failed = failedSince.value
  const hour = useSeries(undefined)
  const isAway = feedState.value.kind === 'lost'
  const isKnown = failed !== undefined && (hour.value ?? hour.problem) !== undefined
  useRowKeys()
  useEffect(() => titlePage('Overview'), [])
  return (
    <div class={styles.screen}>
      <h1>Overview</h1>
      <Panel resource={liveResource(desk)} rows={8}>
        {(value) => (
          <>
            <Needs
              needs={needsOf({ desk: value, failed: failed ?? 0, series: hour.value, isAway })}
              isKnown={isKnown}
            />
            <Trends hour={hour} backends={value.backends} />
            <h2>Backends</h2>
            <BackendTable backends={value.backends} close={nothing} />
            <Tickets desk={value} />
            <Line desk={value} />
          </>
        )}
      </Panel>
    </div>
  )
}

/** `isKnown`: every answer has come, so that nothing is called well before. */
function Needs({ needs, isKnown }: { readonly needs: readonly Need[]; readonly isKnown: boolean }) {
  return (
    <section aria-labelledby="needs">
      <h2 id="needs">Needs you</h2>
      {needs.length === 0 ? (
        isKnown && <p>Nothing. All is well.</p>
      ) : (
        <ul class={styles.needs}>
          {needs.map(({ words, details, advice, isCritical, path, screen }) => (
            <li key={words} class={isCritical ? styles.critical : styles.warning}>
              <span aria-hidden="true">{isCritical ? '✕' : '!'}</span>
              <span>
                <CallerText text={details === undefined ? words : `${words}: ${details}`} />
                <span class={styles.advice}>{advice}</span>
              </span>
              <a href={screenPath(path)}>{screen}</a>
            </li>
          ))}
        </ul>
      )}
    </section>
  )
}

function Tickets({ desk: { tickets, store, callbacks } }: { readonly desk: DeskBody }) {
  const counts = Object.entries(tickets ?? {})
  return (
    <section aria-labelledby="tickets">
      <h2 id="tickets">Tickets</h2>
      {counts.length > 0 && (
        <ul class={styles.counts}>
          {counts.map(([status, count]) => (
            <li key={status}>
              <a href={screenPath(`tickets?status=${status}`)}>
                {count} <Status of={status} />
              </a>
            </li>
          ))}
        </ul>
      )}
      {counts.length > 0 && counts.every(([, count]) => count === 0) && (
        <p>
          No tickets yet. Write the first one in <a href={screenPath('compose')}>Compose</a>.
        </p>
      )}
      <dl class={parts.facts}>
        <div>
          <dt>store</dt>
          <dd>{store.status === 'none' ? 'none: this server keeps no tickets' : store.status}</dd>
        </div>
        {callbacks && (
          <div>
            <dt>callbacks</dt>
            <dd>
              <a href={screenPath('access')}>
                {callbacks.pending} pending, {callbacks.dead} dead
              </a>
            </dd>
          </div>
        )}
      </dl>
    </section>
  )
}

function Line({ desk: { backends, line } }: { readonly desk: DeskBody }) {
  const running = backends.reduce((sum, { in_flight }) => sum + in_flight, 0)
  return (
    <section aria-labelledby="line">
      <h2 id="line">Line</h2>
      <p>
        <a href={screenPath('line')}>
          {running} running, {line.waiting} of {line.capacity} waiting
        </a>
        {line.oldest_ms !== undefined && `, the oldest for ${duration(line.oldest_ms)}`}
        {line.waiting > 0 &&
          line.eta_seconds !== undefined &&
          `; a new one in ~${duration(line.eta_seconds * 1_000)}`}
      </p>
    </section>
  )
}
