import { useEffect, useState } from 'preact/hooks'
import {
  type CallerBody,
  type ConfigBody,
  getCaller,
  getConfig,
  getKeys,
  type KeyBody,
} from '../../api/caller.ts'
import { titlePage } from '../../frame/about.ts'
import { useShortcuts } from '../../keyboard/use-shortcuts.ts'
import { CallerText } from '../../parts/caller-text.tsx'
import { duration, plural } from '../../parts/format.ts'
import { Panel } from '../../parts/panel.tsx'
import parts from '../../parts/parts.module.css'
import { RowHints, rowOf, ScrollingTable, useRowKeys } from '../../parts/scrolling-table.tsx'
import { useResource } from '../../parts/use-resource.ts'
import { When } from '../../parts/when.tsx'
import styles from './access.module.css'
import { CallbackList, useCallbacks } from './callback-list.tsx'

/** Who one is to the server, who else may ask, and whom the server could not reach. */
export function AccessScreen() {
  const caller = useResource('me', getCaller)
  const pending = useCallbacks('pending')
  const dead = useCallbacks('dead')
  const [turn, setTurn] = useState(0)
  const reload = () => {
    setTurn(turn + 1)
    caller.reload()
    pending.reload()
    dead.reload()
  }
  useShortcuts({ reload })
  useRowKeys()
  useEffect(() => titlePage('Access'), [])
  return (
    <div class={styles.screen}>
      <h1>Access</h1>
      <Panel resource={caller}>{(value) => <Caller caller={value} />}</Panel>
      {caller.value?.scopes.includes('admin') === true ? (
        <ForOperators key={turn} />
      ) : (
        caller.value && (
          <p>Who else may ask, and who may be called back, is for a key with the scope admin.</p>
        )
      )}
      <CallbackList callbacks={dead} status="dead" reload={reload} />
      <CallbackList callbacks={pending} status="pending" reload={reload} />
      <RowHints />
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
      <ul class={styles.scopes}>
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

function ForOperators() {
  const keys = useResource('keys', getKeys)
  const config = useResource('config', getConfig)
  return (
    <>
      <section aria-labelledby="keys">
        <h2 id="keys">API keys</h2>
        <Panel resource={keys}>{({ data }) => <KeyList keys={data} />}</Panel>
      </section>
      <section aria-labelledby="receivers">
        <h2 id="receivers">Who may be called back</h2>
        <Panel resource={config}>{({ settings }) => <Receivers settings={settings} />}</Panel>
      </section>
    </>
  )
}

/** The keys themselves are nowhere: the server does not show them. */
function KeyList({ keys }: { readonly keys: readonly KeyBody[] }) {
  if (keys.length === 0) return <p>None: this server wants no keys.</p>
  return (
    <ScrollingTable name="Keys, their scopes and limits">
      <table class={parts.table}>
        <thead>
          <tr>
            <th>name</th>
            <th>scopes</th>
            <th>limit</th>
            <th class={parts.numeric}>left</th>
            <th>priority</th>
            <th>last seen</th>
          </tr>
        </thead>
        <tbody>
          {keys.map((key, index) => (
            // Several keys may have one name.
            <tr key={index} {...rowOf({ name: key.name })}>
              <td>
                <CallerText text={key.name} />
              </td>
              <td>{key.scopes.join(', ')}</td>
              <td>{key.rate_limit === null ? 'none' : limitWords(key.rate_limit)}</td>
              <td class={parts.numeric}>{key.left}</td>
              <td>{priorityWords(key)}</td>
              <td>
                {key.last_seen_at === undefined ? 'not since its start' : <When at={key.last_seen_at} />}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </ScrollingTable>
  )
}

function limitWords({ requests, window_ms: windowMs, burst }: NonNullable<KeyBody['rate_limit']>): string {
  const words = `${plural(requests, 'request')} in ${duration(windowMs)}`
  return burst === requests ? words : `${words}, ${burst} at once`
}

/** What its events get that name none, and how high they may come. */
function priorityWords({ priority, max_priority: most }: KeyBody): string {
  const own = priority === undefined ? 'of its API' : String(priority)
  return most === undefined ? own : `${own}, at most ${most}`
}

const RECEIVERS = [
  ['callback_allow', 'addresses', 'None: no event may name a `callback_url`.'],
  ['callback_private', 'private networks among them', 'None: only public addresses.'],
] as const

function Receivers({ settings }: Pick<ConfigBody, 'settings'>) {
  return (
    <dl class={parts.facts}>
      {RECEIVERS.map(([key, name, none]) => {
        const value = settings.find((setting) => setting.key === key)?.value
        const patterns = Array.isArray(value) ? value.map(String) : []
        return (
          <div key={key}>
            <dt>{name}</dt>
            <dd>
              {patterns.length === 0 ? none : <CallerText text={patterns.join(', ')} />} (<code>{key}</code>)
            </dd>
          </div>
        )
      })}
    </dl>
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
