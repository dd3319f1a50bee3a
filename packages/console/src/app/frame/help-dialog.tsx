import { Fragment } from 'preact'
import { useState } from 'preact/hooks'
import { chooseKeys, clashOf, hasChoices, KEY_WORDS, resetKeys, wordsOf } from '../keyboard/change-keys.ts'
import { isChosen, keysOf, shown, singleKeys, switchSingleKeys } from '../keyboard/key-choices.ts'
import { pressOf } from '../keyboard/presses.ts'
import { SHORTCUTS, type ShortcutId } from '../keyboard/shortcuts.ts'
import { Dialog } from '../parts/dialog.tsx'
import { chooseUtc, isUtc } from '../parts/when.tsx'
import styles from './frame.module.css'

type Entry = (typeof SHORTCUTS)[number]

const groups = Object.entries(KEY_WORDS)

/** Every key, from the table that makes them work, and a way to change each. */
export function HelpDialog({ close }: { readonly close: () => void }) {
  const [changing, change] = useState<string>()
  return (
    <Dialog title="Keys" close={close}>
      <div class={styles.help}>
        {groups.map(([group, words]) => (
          <section key={group}>
            <h3>{group}</h3>
            <dl>
              {SHORTCUTS.filter(({ id }) => words[id] !== undefined).map((one) => (
                <Fragment key={one.id}>
                  <dt>
                    <KeysOf entry={one} />
                  </dt>
                  <dd>
                    {changing === one.id ? (
                      <NewKeys entry={one} done={() => change(undefined)} />
                    ) : (
                      <Words entry={one} change={() => change(one.id)} />
                    )}
                  </dd>
                </Fragment>
              ))}
            </dl>
          </section>
        ))}
      </div>
      <div class={styles.form}>
        <label class={styles.row}>
          <input
            type="checkbox"
            checked={singleKeys.value}
            onChange={(event) => switchSingleKeys(event.currentTarget.checked)}
          />
          Use keys without a modifier. Switch them off if you dictate.
        </label>
        <label class={styles.row}>
          <input
            type="checkbox"
            checked={isUtc.value}
            onChange={(event) => chooseUtc(event.currentTarget.checked)}
          />
          Show times in UTC.
        </label>
        <div class={styles.row}>
          <button type="button" onClick={close}>
            Close
          </button>
          {hasChoices() && (
            <button type="button" onClick={() => resetKeys()}>
              Reset all keys
            </button>
          )}
        </div>
      </div>
    </Dialog>
  )
}

function KeysOf({ entry }: { readonly entry: Entry }) {
  return keysOf(entry).map((keys) => <kbd key={keys}>{shown(keys)}</kbd>)
}

function Words({ entry, change }: { readonly entry: Entry; readonly change: () => void }) {
  const { id } = entry
  const words = wordsOf(id)
  return (
    <>
      {words}
      <button type="button" id={`change-${id}`} aria-label={`Change the keys: ${words}`} onClick={change}>
        Change
      </button>
      {isChosen(id) && (
        <button type="button" aria-label={`Reset the keys: ${words}`} onClick={() => resetKeys(id)}>
          Reset
        </button>
      )}
    </>
  )
}

/** Presses of a sequence. More nobody remembers. */
const MOST_PRESSES = 3

/** Takes whatever is pressed in it. Enter, Esc, Tab and Backspace steer it and cannot be chosen. */
function NewKeys({ entry: { id }, done }: { readonly entry: Entry; readonly done: () => void }) {
  const words = wordsOf(id)
  const [presses, setPresses] = useState<readonly string[]>([])
  const keys = presses.join(' ')
  const clash = keys === '' ? undefined : clashOf(id, keys)
  const leave = () => {
    done()
    // The field is gone then, and the button is back.
    setTimeout(() => document.getElementById(`change-${id}`)?.focus())
  }
  const onKeyDown = (event: KeyboardEvent) => {
    const { key } = event
    if (key === 'Tab' || event.isComposing) return
    event.preventDefault()
    if (key === 'Escape') return leave()
    if (key === 'Backspace') return setPresses(presses.slice(0, -1))
    if (key !== 'Enter') {
      const press = pressOf(event)
      if (press !== undefined && !event.repeat && presses.length < MOST_PRESSES)
        setPresses([...presses, press])
      return
    }
    if (clash !== undefined) return
    if (keys !== '') chooseKeys(id, keys)
    leave()
  }
  return (
    <>
      <input
        ref={focusIt}
        readOnly
        aria-label={`New keys: ${words}`}
        aria-describedby="new-keys"
        aria-invalid={clash !== undefined}
        value={shown(keys)}
        onKeyDown={onKeyDown}
      />
      <span id="new-keys">
        Press the keys, then Enter. Backspace takes one back, Esc leaves it as it was.
      </span>
      {clash && <strong role="alert">These are the keys of: {wordsOf(clash.id as ShortcutId)}</strong>}
    </>
  )
}

const focusIt = (field: HTMLInputElement | null): void => field?.focus()
