import { useEffect, useRef, useState } from 'preact/hooks'
import { useLocation } from 'preact-iso/router'
import type { Problem } from '../../api/client.ts'
import {
  type ConfigBody,
  type ConfigChangeBody,
  changeConfig,
  getConfig,
  getConfigChanges,
  type SettingBody,
} from '../../api/config.ts'
import { titlePage } from '../../frame/about.ts'
import { useShortcuts } from '../../keyboard/use-shortcuts.ts'
import { hearFeed } from '../../live/live.ts'
import { screenPath } from '../../navigation.ts'
import { Action, Keys } from '../../parts/action.tsx'
import { CallerText } from '../../parts/caller-text.tsx'
import { plural } from '../../parts/format.ts'
import { say } from '../../parts/notice.tsx'
import { Panel, ProblemNote } from '../../parts/panel.tsx'
import parts from '../../parts/parts.module.css'
import { RowHints, rowOf, ScrollingTable, useRowKeys } from '../../parts/scrolling-table.tsx'
import { useResource } from '../../parts/use-resource.ts'
import { When } from '../../parts/when.tsx'
import styles from './config.module.css'
import { backendsOf, bodyOf, type Draft, type Drafts, matching, textOf, without } from './drafts.ts'
import { NewBackend, SettingEditor } from './setting-editor.tsx'

/** Every setting, where it came from, and its change while the server runs. */
export function ConfigScreen() {
  const config = useResource('config', getConfig)
  const changes = useResource('config changes', getConfigChanges)
  const [drafts, setDrafts] = useState<Drafts>({})
  const [problem, setProblem] = useState<Problem>()
  const reload = () => {
    config.reload()
    changes.reload()
  }
  const latest = useRef(reload)
  latest.current = reload
  useEffect(() => hearFeed(({ kind }) => (kind === 'config' || kind === 'gap') && latest.current()), [])
  useEffect(() => titlePage('Config'), [])
  const draft = (key: string, next: Draft) => setDrafts((before) => ({ ...before, [key]: next }))
  const forget = (key: string) => setDrafts((before) => without(before, key))
  const apply = async () => {
    const revision = config.value?.revision
    if (revision === undefined || Object.keys(drafts).length === 0) return
    const answer = await changeConfig(revision, bodyOf(drafts))
    setProblem(answer.ok ? undefined : answer.problem)
    if (answer.ok) {
      setDrafts({})
      const later = answer.value.changes.filter(({ live }) => !live).length
      say(
        `${plural(answer.value.changes.length, 'setting')} changed${later === 0 ? '' : `, ${later} after a restart`}.`,
      )
    }
    reload()
  }
  useShortcuts({ reload, send: apply })
  useRowKeys()
  return (
    <div class={styles.screen}>
      <h1>Config</h1>
      {problem && <ProblemNote problem={problem} />}
      <Panel resource={config} rows={12}>
        {(value) => (
          <>
            <Plan
              settings={value.settings}
              drafts={drafts}
              forget={forget}
              apply={apply}
              clear={() => setDrafts({})}
            />
            <Settings config={value} drafts={drafts} draft={draft} />
            <Backends settings={value.settings} draft={draft} />
          </>
        )}
      </Panel>
      <section aria-labelledby="changes">
        <h2 id="changes">Changed while it ran</h2>
        <Panel resource={changes}>
          {({ data }) => (data.length === 0 ? <p>Nothing was.</p> : <History data={data} />)}
        </Panel>
      </section>
      <RowHints />
    </div>
  )
}

interface PlanProps {
  readonly settings: readonly SettingBody[]
  readonly drafts: Drafts
  readonly forget: (key: string) => void
  readonly apply: () => void
  readonly clear: () => void
}

/** What will change, before it does. */
function Plan({ settings, drafts, forget, apply, clear }: PlanProps) {
  const planned = Object.entries(drafts)
  const waiting = settings.filter((setting) => 'running' in setting)
  return (
    <>
      {waiting.length > 0 && (
        <p class={parts.note}>After a restart: {waiting.map(({ key }) => key).join(', ')}.</p>
      )}
      {planned.length > 0 && (
        <section class={styles.plan} aria-labelledby="plan">
          <h2 id="plan">Will change</h2>
          <ul>
            {planned.map(([key, one]) => (
              <li key={key}>
                <Planned setting={settings.find((setting) => setting.key === key)} name={key} draft={one} />
                <button type="button" aria-label={`Leave ${key} as it is`} onClick={() => forget(key)}>
                  ✕
                </button>
              </li>
            ))}
          </ul>
          <p class={parts.actions}>
            <Action does={apply} keys="send" look="primary">
              Apply {plural(planned.length, 'change')}
            </Action>
            <Action does={clear}>Leave all as it is</Action>
          </p>
        </section>
      )}
    </>
  )
}

interface PlannedProps {
  readonly setting: SettingBody | undefined
  readonly name: string
  readonly draft: Draft
}

function Planned({ setting, name, draft }: PlannedProps) {
  const after = draft.kind === 'unset' ? 'what the file or the default says' : textOf(draft.value)
  return (
    <span>
      <code>{name}</code>: {setting && <CallerText text={textOf(setting.value)} />}
      {setting ? ' → ' : ''}
      {draft.kind === 'set' && draft.value === null ? 'removed' : <CallerText text={after} />}
      {setting?.live === false && ', after a restart'}
    </span>
  )
}

interface SettingsProps {
  readonly config: ConfigBody
  readonly drafts: Drafts
  readonly draft: (key: string, next: Draft) => void
}

/** Those that are looked for; what is looked for is in the address. */
function Settings({ config: { settings }, drafts, draft }: SettingsProps) {
  const { query } = useLocation()
  const wanted = { text: query.q ?? '', isChanged: query.changed !== undefined }
  const shown = matching(settings, wanted)
  return (
    <section aria-labelledby="settings">
      <h2 id="settings">Settings</h2>
      <Finder {...wanted} count={shown.length} />
      <ScrollingTable name="Settings found">
        <SettingTable settings={shown} drafts={drafts} draft={draft} />
      </ScrollingTable>
    </section>
  )
}

interface FinderProps {
  readonly text: string
  readonly isChanged: boolean
  readonly count: number
}

function Finder({ text, isChanged, count }: FinderProps) {
  const { route } = useLocation()
  const search = useRef<HTMLInputElement>(null)
  useShortcuts({ search: () => search.current?.focus() })
  const show = (next: { readonly text: string; readonly isChanged: boolean }) => {
    const query = new URLSearchParams({
      ...(next.text && { q: next.text }),
      ...(next.isChanged && { changed: '1' }),
    })
    route(`${screenPath('config')}${query.size > 0 ? `?${query}` : ''}`, true)
  }
  return (
    <p class={styles.fields}>
      <label>
        Find
        <input
          ref={search}
          type="search"
          value={text}
          onInput={(event) => show({ text: event.currentTarget.value, isChanged })}
        />
      </label>
      <Keys of="search" />
      <label class={styles.check}>
        <input
          type="checkbox"
          checked={isChanged}
          onChange={(event) => show({ text, isChanged: event.currentTarget.checked })}
        />
        differs from the default
      </label>
      <span role="status">{plural(count, 'setting')}</span>
    </p>
  )
}

interface TableProps {
  readonly settings: readonly SettingBody[]
  readonly drafts: Drafts
  readonly draft: SettingsProps['draft']
}

function SettingTable({ settings, drafts, draft }: TableProps) {
  const [edited, setEdited] = useState<string>()
  const leave = () => {
    // The button that opened it comes back, and with it the place of the keyboard.
    const key = edited
    setEdited(undefined)
    requestAnimationFrame(() => document.getElementById(`edit ${key}`)?.focus())
  }
  const keep = (key: string, value: unknown) => {
    draft(key, { kind: 'set', value })
    leave()
  }
  return (
    <table class={parts.table}>
      <thead>
        <tr>
          <th>setting</th>
          <th>value</th>
          <th>from</th>
          <th>takes effect</th>
          <th>change</th>
        </tr>
      </thead>
      <tbody>
        {settings.map((setting) => {
          const { key } = setting
          if (key !== edited)
            return <Row key={key} setting={setting} draft={draft} edit={() => setEdited(key)} />
          const from = writtenIn(drafts[key]) ?? setting.value
          return (
            <tr key={key}>
              <td colSpan={5}>
                <SettingEditor
                  setting={setting}
                  from={from}
                  close={leave}
                  keep={(value) => keep(key, value)}
                />
              </td>
            </tr>
          )
        })}
      </tbody>
    </table>
  )
}

const writtenIn = (draft: Draft | undefined): unknown => (draft?.kind === 'set' ? draft.value : undefined)

interface RowProps {
  readonly setting: SettingBody
  readonly draft: SettingsProps['draft']
  readonly edit: () => void
}

function Row({ setting, draft, edit }: RowProps) {
  const { key, value, origin, summary, live, locked, secret } = setting
  const source = 'name' in origin ? origin.name : origin.kind
  return (
    <tr {...rowOf({ name: key, value: textOf(value) })}>
      <td>
        <code>{key}</code>
        <div class={styles.words}>
          <CallerText text={summary} />
        </div>
      </td>
      <td class={styles.value}>
        {isSet(value) ? <CallerText text={textOf(value)} /> : <i class={styles.words}>not set</i>}
        {'running' in setting && <div class={styles.words}>runs with {textOf(setting.running)}</div>}
      </td>
      <td>
        <CallerText text={source} />
      </td>
      <td class={styles.effect}>{live ? 'at once' : 'after a restart'}</td>
      <td>
        <div class={styles.buttons}>
          {locked || secret ? (
            <span>{secret ? 'a secret' : `by ${source} alone`}</span>
          ) : (
            <button type="button" id={`edit ${key}`} data-opens aria-label={`Edit ${key}`} onClick={edit}>
              Edit
            </button>
          )}
          {origin.kind === 'console' && (
            <button
              type="button"
              aria-label={`Take back ${key}`}
              onClick={() => draft(key, { kind: 'unset' })}
            >
              Take back
            </button>
          )}
        </div>
      </td>
    </tr>
  )
}

/** There are settings without a default, like a name that nobody gave. */
const isSet = (value: unknown): boolean => value !== undefined && value !== null && value !== ''

function Backends({
  settings,
  draft,
}: {
  readonly settings: readonly SettingBody[]
  readonly draft: SettingsProps['draft']
}) {
  const names = backendsOf(settings)
  if (names.length === 0) return null
  return (
    <section aria-labelledby="backends">
      <h2 id="backends">Backends</h2>
      <p class={parts.actions}>
        {names.map((name) => (
          <Action
            key={name}
            look="danger"
            does={() => draft(`backends.${name}`, { kind: 'set', value: null })}
          >
            Remove {name}
          </Action>
        ))}
      </p>
      <NewBackend add={(name, value) => draft(`backends.${name}`, { kind: 'set', value })} />
    </section>
  )
}

function History({ data }: { readonly data: readonly ConfigChangeBody[] }) {
  return (
    <ScrollingTable name="Changes by time">
      <table class={parts.table}>
        <thead>
          <tr>
            <th>when</th>
            <th>who</th>
            <th>setting</th>
            <th>before</th>
            <th>after</th>
          </tr>
        </thead>
        <tbody>
          {data.map(({ at, by, key, before, after }, index) => (
            <tr
              key={`${at} ${index}`}
              {...rowOf({ name: key, value: after === null ? undefined : textOf(after) })}
            >
              <td>
                <When at={at} />
              </td>
              <td>
                <CallerText text={by} />
              </td>
              <td>
                <code>{key}</code>
              </td>
              <td class={styles.value}>{before === null ? '–' : <CallerText text={textOf(before)} />}</td>
              <td class={styles.value}>{after === null ? '–' : <CallerText text={textOf(after)} />}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </ScrollingTable>
  )
}
