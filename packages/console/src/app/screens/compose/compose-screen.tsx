import { useEffect, useState } from 'preact/hooks'
import { ticketPath } from '../../api/addresses.ts'
import { type DeskReport, getDesk } from '../../api/desk.ts'
import { curlOf } from '../../api/tickets.ts'
import { titlePage } from '../../frame/about.ts'
import { useShortcuts } from '../../keyboard/use-shortcuts.ts'
import { Action } from '../../parts/action.tsx'
import { CallerText } from '../../parts/caller-text.tsx'
import { batchLineOf, codeOf, copyAs } from '../../parts/copies.ts'
import { duration, stopWords } from '../../parts/format.ts'
import { ProblemNote } from '../../parts/panel.tsx'
import parts from '../../parts/parts.module.css'
import { Status } from '../../parts/status.tsx'
import { useResource } from '../../parts/use-resource.ts'
import styles from './compose.module.css'
import { type Draft, type DraftTurn, EMPTY, eventOf, keepDraft, readDraft } from './draft.ts'
import { type Sending, useSending } from './use-sending.ts'

/** Writes an event, sends it as a ticket, and shows its answer as it comes. */
export function ComposeScreen() {
  const [draft, setDraft] = useState(readDraft)
  const [problem, setProblem] = useState('')
  const { sending, send, stop } = useSending()
  const desk = useResource('desk', getDesk)
  const read = eventOf(draft)
  const change = (changes: Partial<Draft>) => {
    const next = { ...draft, ...changes }
    setDraft(next)
    keepDraft(next)
    setProblem('')
  }
  const submit = () => (read.ok ? send(read.event) : setProblem(read.problem))
  useShortcuts({ send: submit })
  useEffect(() => titlePage('Compose'), [])
  return (
    <>
      <h1>Compose</h1>
      <div class={styles.halves}>
        <form
          class={styles.form}
          onSubmit={(event) => {
            event.preventDefault()
            submit()
          }}
        >
          <Fields draft={draft} change={change} desk={desk.value} />
          {problem !== '' && (
            <p class={styles.bad} role="alert">
              {problem}
            </p>
          )}
          <div class={parts.actions}>
            <Action does={submit} keys="send" look="primary">
              Send
            </Action>
            <button type="button" onClick={() => change({ ...EMPTY, form: draft.form })}>
              Clear
            </button>
            <Copies event={read.ok ? read.event : undefined} />
          </div>
        </form>
        <Answer sending={sending} stop={stop} />
      </div>
    </>
  )
}

interface FieldsProps {
  readonly draft: Draft
  readonly change: (changes: Partial<Draft>) => void
  /** Undefined: not known yet. */
  readonly desk: DeskReport | undefined
}

function Fields({ draft, change, desk }: FieldsProps) {
  return (
    <>
      <fieldset aria-label="Form of the event">
        {FORMS.map(([form, words]) => (
          <label key={form}>
            <input type="radio" name="form" checked={draft.form === form} onChange={() => change({ form })} />
            {words}
          </label>
        ))}
      </fieldset>
      {draft.form === 'json' ? (
        <label>
          Event
          <textarea
            class={styles.json}
            rows={14}
            spellcheck={false}
            value={draft.event}
            onInput={(event) => change({ event: event.currentTarget.value })}
          />
        </label>
      ) : (
        <>
          {draft.form === 'messages' ? (
            <Turns turns={draft.turns} change={change} />
          ) : (
            <label>
              Prompt
              <textarea
                rows={8}
                value={draft.prompt}
                onInput={(event) => change({ prompt: event.currentTarget.value })}
              />
            </label>
          )}
          <Options draft={draft} change={change} desk={desk} />
        </>
      )}
    </>
  )
}

const FORMS = [
  ['text', 'Prompt'],
  ['messages', 'Messages'],
  ['json', 'Event as JSON'],
] as const

const ROLES = ['system', 'user', 'assistant'] as const

/** A conversation, turn by turn; turns without words are not sent. */
function Turns({ turns, change }: Pick<Draft, 'turns'> & Pick<FieldsProps, 'change'>) {
  const put = (at: number, part: Partial<DraftTurn>) =>
    change({ turns: turns.map((turn, index) => (index === at ? { ...turn, ...part } : turn)) })
  const next = turns.at(-1)?.role === 'user' ? 'assistant' : 'user'
  return (
    <>
      {turns.map(({ role, content }, index) => (
        <div key={index} class={styles.turn}>
          <select
            aria-label={`Role of message ${index + 1}`}
            value={role}
            onChange={(event) => put(index, { role: event.currentTarget.value as DraftTurn['role'] })}
          >
            {ROLES.map((one) => (
              <option key={one}>{one}</option>
            ))}
          </select>
          <button
            type="button"
            aria-label={`Remove message ${index + 1}`}
            onClick={() => change({ turns: turns.filter((_, at) => at !== index) })}
          >
            ✕
          </button>
          <textarea
            aria-label={`Message ${index + 1}`}
            rows={3}
            value={content}
            onInput={(event) => put(index, { content: event.currentTarget.value })}
          />
        </div>
      ))}
      <div>
        <button type="button" onClick={() => change({ turns: [...turns, { role: next, content: '' }] })}>
          Add a message
        </button>
      </div>
    </>
  )
}

const SMALL = [
  ['maxTokens', 'Longest answer, tokens'],
  ['temperature', 'Temperature'],
  ['priority', 'Priority, -100 to 100'],
  ['timeout', 'Give up after, seconds'],
] as const

const TIMES = [
  ['notBefore', 'Not before'],
  ['expires', 'Expires'],
] as const

const LARGE = [
  ['schema', 'JSON Schema of the answer'],
  ['metadata', 'Metadata, a JSON object'],
] as const

function Options({ draft, change, desk }: FieldsProps) {
  const models = [...new Set(desk?.backends.flatMap(({ models: own }) => own))]
  return (
    <>
      <div class={styles.grid}>
        <label>
          Model
          <input
            list="models"
            value={draft.model}
            spellcheck={false}
            onInput={(event) => change({ model: event.currentTarget.value })}
          />
        </label>
        <datalist id="models">
          {models.map((model) => (
            <option key={model} value={model} />
          ))}
        </datalist>
        <label>
          Backend
          <select value={draft.backend} onChange={(event) => change({ backend: event.currentTarget.value })}>
            <option value="">the best that is free</option>
            {desk?.backends.map(({ name }) => (
              <option key={name} value={name}>
                {name}
              </option>
            ))}
          </select>
        </label>
        {SMALL.map(([name, words]) => (
          <label key={name}>
            {words}
            <input
              inputMode="decimal"
              value={draft[name]}
              onInput={(event) => change({ [name]: event.currentTarget.value })}
            />
          </label>
        ))}
      </div>
      <Later draft={draft} change={change} />
      <details class={styles.more} open={draft.schema !== '' || draft.metadata !== ''}>
        <summary>Schema and metadata</summary>
        {LARGE.map(([name, words]) => (
          <label key={name}>
            {words}
            <textarea
              class={styles.json}
              rows={4}
              spellcheck={false}
              value={draft[name]}
              onInput={(event) => change({ [name]: event.currentTarget.value })}
            />
          </label>
        ))}
      </details>
    </>
  )
}

/** When it may run, and who is told. */
function Later({ draft, change }: Pick<FieldsProps, 'draft' | 'change'>) {
  const isUsed = draft.callback !== '' || TIMES.some(([name]) => draft[name] !== '')
  return (
    <details class={styles.more} open={isUsed}>
      <summary>Times and callback</summary>
      <div class={styles.grid}>
        {TIMES.map(([name, words]) => (
          <label key={name}>
            {words}
            <input
              type="datetime-local"
              value={draft[name]}
              onInput={(event) => change({ [name]: event.currentTarget.value })}
            />
          </label>
        ))}
      </div>
      <label>
        Address to call when it has ended
        <input
          inputMode="url"
          spellcheck={false}
          placeholder="https://hooks.example.com/done"
          value={draft.callback}
          onInput={(event) => change({ callback: event.currentTarget.value })}
        />
      </label>
    </details>
  )
}

function Copies({ event }: { readonly event: object | undefined }) {
  const ways = { curl: curlOf, TypeScript: codeOf, 'batch line': batchLineOf }
  return (
    <>
      <span>Copy as</span>
      {Object.entries(ways).map(([name, write]) => (
        <Action
          key={name}
          does={() => copyAs(`it as ${name}`, event && write(event))}
          unable={event === undefined ? 'There is no event yet' : undefined}
        >
          {name}
        </Action>
      ))}
    </>
  )
}

function Answer({ sending, stop }: { readonly sending: Sending | undefined; readonly stop: () => void }) {
  if (sending === undefined) {
    return (
      <section class={styles.answer} aria-label="Answer">
        <p>The answer appears here as it is written.</p>
      </section>
    )
  }
  const { id, isOn, status, text, outcome, problem } = sending
  const answer = outcome?.completion ?? outcome?.partial ?? text
  return (
    <section class={styles.answer} aria-label="Answer" aria-busy={isOn}>
      <div class={parts.actions}>
        <Status of={statusOf(sending)} />
        {id !== undefined && <a href={ticketPath(id)}>{id}</a>}
        {isOn && (
          <Action does={stop} look="danger" unable={id === undefined ? 'Its ticket is not known' : undefined}>
            Stop
          </Action>
        )}
        {outcome !== undefined && <span>{duration(outcome.duration_ms)}</span>}
      </div>
      {problem && <ProblemNote problem={problem} />}
      {outcome?.error === 'cancelled' && <p>{stopWords(outcome.attempts)}</p>}
      {outcome?.error !== undefined && (
        <p class={styles.bad}>
          {outcome.error}: <CallerText text={outcome.details} />
        </p>
      )}
      {answer === '' && isOn && (
        <p>{status === 'in_progress' ? 'The model reads.' : 'It waits for a slot.'}</p>
      )}
      {answer !== '' && (
        <div class={styles.text}>
          <CallerText text={answer} long />
        </div>
      )}
    </section>
  )
}

function statusOf({ isOn, status = 'queued', outcome }: Sending): string {
  if (outcome === undefined) return isOn ? status : 'failed'
  if (outcome.error === undefined) return 'completed'
  return outcome.error === 'cancelled' ? 'cancelled' : 'failed'
}
