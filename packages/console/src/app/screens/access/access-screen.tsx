import { useEffect } from 'preact/hooks'
import { type CallerBody, getCaller } from '../../api/caller.ts'
import { titlePage } from '../../frame/about.ts'
import { useShortcuts } from '../../keyboard/use-shortcuts.ts'
import { CallerText } from '../../parts/caller-text.tsx'
import { Panel } from '../../parts/panel.tsx'
import parts from '../../parts/parts.module.css'
import { useResource } from '../../parts/use-resource.ts'
import { When } from '../../parts/when.tsx'
import styles from './access.module.css'
import { CallbackList, useCallbacks } from './callback-list.tsx'

/** Who one is to the server, what one may do, and whom the server could not reach. */
export function AccessScreen() {
  const caller = useResource('me', getCaller)
  const pending = useCallbacks('pending')
  const dead = useCallbacks('dead')
  const reload = () => {
    caller.reload()
    pending.reload()
    dead.reload()
  }
  useShortcuts({ reload })
  useEffect(() => titlePage('Access'), [])
  return (
    <div class={styles.screen}>
      <h1>Access</h1>
      <Panel resource={caller}>{(value) => <Caller caller={value} />}</Panel>
      <CallbackList callbacks={dead} status="dead" reload={reload} />
      <CallbackList callbacks={pending} status="pending" reload={reload} />
    </div>
  )
}

const SCOPES = [
  ['events', 'send events and tickets, and see and cancel your own'],
  ['read', 'see everything'],
  ['admin', 'do everything: cancel, replay, pause, send callbacks again'],
] as const

function Caller({ caller }: { readonly caller: CallerBody }) {
  const { keys, name, scopes, worker, version, started_at, store, history, callbacks } = caller
  return (
    <>
      <p>
        {keys ? (
          <>
            You are <CallerText text={name ?? 'nobody'} />.
          </>
        ) : (
          'This server wants no API keys: whoever reaches it may do everything.'
        )}
      </p>
      <ul>
        {SCOPES.map(([scope, words]) => (
          <li key={scope}>
            {scopes.includes(scope) ? '✓ you may' : '✕ you may not'} {words} (<code>{scope}</code>)
          </li>
        ))}
      </ul>
      <dl class={parts.facts}>
        <Fact name="server" value={`${worker}, version ${version}`} />
        <div>
          <dt>since</dt>
          <dd>
            <When at={started_at} />
          </dd>
        </div>
        <Fact name="store" value={store} />
        <Fact name="history" value={history} />
        <Fact name="callbacks" value={callbacks ? 'allowed' : 'none: no event may name a `callback_url`'} />
      </dl>
    </>
  )
}

function Fact({ name, value }: { readonly name: string; readonly value: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  )
}
