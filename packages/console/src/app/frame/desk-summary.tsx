import { feedState, liveDesk, newVersion, togglePause } from '../live/live.ts'
import { Action } from '../parts/action.tsx'
import { duration, plural } from '../parts/format.ts'
import { clockTime } from '../parts/when.tsx'
import styles from './frame.module.css'

/** How the desk is, in one line, and whether that is live. */
export function DeskSummary() {
  const state = feedState.value
  return (
    <div class={styles.summary}>
      <DeskWords />
      <span class={state.kind === 'live' ? styles.live : undefined}>{stateWords()}</span>
      <Action does={togglePause} keys="pause">
        {state.kind === 'paused' ? 'Go on' : 'Pause'}
      </Action>
    </div>
  )
}

function DeskWords() {
  const desk = liveDesk.value
  if (desk === undefined) return null
  const up = desk.backends.filter(({ state }) => state === 'ready' || state === 'busy').length
  const running = desk.backends.reduce((sum, { in_flight }) => sum + in_flight, 0)
  const { waiting, eta_seconds: eta } = desk.line
  return (
    <span>
      {up} of {plural(desk.backends.length, 'backend')} · {running} run · {waiting} wait
      {waiting > 0 && eta !== undefined && `, a new one in ~${duration(eta * 1_000)}`}
    </span>
  )
}

/** What concerns every screen. The rest of the page goes on. */
export function Banners() {
  const version = newVersion.value
  return (
    <div role="status">
      {liveDesk.value?.store.status === 'unavailable' && (
        <p class={styles.banner}>
          The ticket store does not answer: no tickets until it is back. Events are answered as before.
        </p>
      )}
      {version !== undefined && (
        <p class={styles.banner}>
          The server is now version {version}; this page is older.
          <button type="button" onClick={() => location.reload()}>
            Reload the page
          </button>
        </p>
      )}
    </div>
  )
}

function stateWords(): string {
  const state = feedState.value
  if (state.kind === 'opening') return '○ connecting'
  if (state.kind === 'live') return '● live'
  const asOf = `as of ${clockTime(state.asOf, new Date())}`
  if (state.kind === 'paused') return `‖ paused, ${asOf}`
  if (state.kind === 'refused') return '✕ not live'
  return `✕ lost, ${asOf}, next try in ${duration(state.nextTryMs)}`
}
