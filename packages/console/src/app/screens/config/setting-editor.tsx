import { useId, useLayoutEffect, useRef, useState } from 'preact/hooks'
import type { SettingBody } from '../../api/config.ts'
import { Action } from '../../parts/action.tsx'
import styles from './config.module.css'
import { type Field, fieldOf, readField, textOf } from './drafts.ts'

interface EditorProps {
  readonly setting: SettingBody
  /** What was written before, or the value as it is. */
  readonly from: unknown
  readonly keep: (value: unknown) => void
  readonly close: () => void
}

/** A setting as it is written. Esc leaves it as it was. */
export function SettingEditor({ setting, from, keep, close }: EditorProps) {
  const id = useId()
  const field = fieldOf(setting)
  const [text, setText] = useState(() => textOf(from))
  const [isWrong, setWrong] = useState(false)
  const form = useRef<HTMLFormElement>(null)
  // Whoever has opened it types at once.
  useLayoutEffect(() => form.current?.querySelector<HTMLElement>('input, select, textarea')?.focus(), [])
  const submit = (event: Event) => {
    event.preventDefault()
    const read = readField(field, text)
    if (read) keep(read.value)
    setWrong(read === undefined)
  }
  return (
    <form
      ref={form}
      class={styles.editor}
      onSubmit={submit}
      onKeyDown={(event) => {
        if (event.key !== 'Escape') return
        event.preventDefault()
        close()
      }}
    >
      <label for={id}>{setting.key}</label>
      <Input id={id} field={field} text={text} change={setText} />
      {isWrong && <p role="alert">{EXPECTED[field.kind]}</p>}
      <p class={styles.buttons}>
        <button type="submit">Keep</button>
        <Action does={close}>Leave it</Action>
      </p>
    </form>
  )
}

const EXPECTED: Readonly<Record<Field['kind'], string>> = {
  number: 'Write a number.',
  json: 'Write valid JSON.',
  choice: 'Choose one.',
  text: 'Write a text.',
}

interface InputProps {
  readonly id: string
  readonly field: Field
  readonly text: string
  readonly change: (text: string) => void
}

function Input({ id, field, text, change }: InputProps) {
  switch (field.kind) {
    case 'choice':
      return (
        <select id={id} value={text} onChange={(event) => change(event.currentTarget.value)}>
          {field.options.map((option) => (
            <option key={textOf(option)}>{textOf(option)}</option>
          ))}
        </select>
      )
    case 'json':
      return (
        <textarea
          id={id}
          rows={4}
          spellcheck={false}
          value={text}
          onInput={(event) => change(event.currentTarget.value)}
        />
      )
    case 'text':
      return (
        <input
          id={id}
          autocomplete="off"
          spellcheck={false}
          value={text}
          onInput={(event) => change(event.currentTarget.value)}
        />
      )
    case 'number':
      return (
        <input
          id={id}
          type="number"
          min={field.minimum}
          max={field.maximum}
          step={field.isWhole ? 1 : 'any'}
          value={text}
          onInput={(event) => change(event.currentTarget.value)}
        />
      )
  }
}

/** A server that is to answer from now on; its other settings can be written once it is there. */
export function NewBackend({ add }: { readonly add: (name: string, value: unknown) => void }) {
  const [name, setName] = useState('')
  const [type, setType] = useState('kobold')
  const [url, setUrl] = useState('')
  const submit = (event: Event) => {
    event.preventDefault()
    add(name, { type, url })
    setName('')
    setUrl('')
  }
  return (
    <form class={styles.fields} aria-label="New backend" onSubmit={submit}>
      <label>
        Name
        <input
          required
          pattern="[A-Za-z0-9][A-Za-z0-9._\-]*"
          maxLength={64}
          autocomplete="off"
          value={name}
          onInput={(event) => setName(event.currentTarget.value)}
        />
      </label>
      <label>
        Kind
        <select value={type} onChange={(event) => setType(event.currentTarget.value)}>
          <option value="kobold">KoboldCPP</option>
          <option value="openai">OpenAI-compatible</option>
        </select>
      </label>
      <label>
        Address
        <input
          required
          autocomplete="off"
          value={url}
          onInput={(event) => setUrl(event.currentTarget.value)}
        />
      </label>
      <button type="submit">Add</button>
    </form>
  )
}
