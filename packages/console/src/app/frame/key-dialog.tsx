import { useState } from 'preact/hooks'
import { isKeyRefused, useKey } from '../api/key.ts'
import { Dialog } from '../parts/dialog.tsx'
import styles from './frame.module.css'

/** Asks for the key over the page, which stays as it is. The field is emptied before the key is used: it is in no page. */
export function KeyDialog({ close }: { readonly close: () => void }) {
  const [problem, setProblem] = useState(isKeyRefused.value ? 'The server does not know this key.' : '')
  return (
    <Dialog title="This server wants an API key" close={close}>
      <form
        class={styles.form}
        onSubmit={(event) => {
          event.preventDefault()
          const field = event.currentTarget.elements.namedItem('key')
          if (!(field instanceof HTMLInputElement)) return
          const given = field.value.trim()
          if (!/^[\x21-\x7e]+$/.test(given)) return setProblem('A key has no spaces and is not empty.')
          field.value = ''
          useKey(given)
        }}
      >
        <p>It stays in this tab until you close it, and is sent to this server only.</p>
        <label>
          API key <input name="key" type="password" autocomplete="off" spellcheck={false} required />
        </label>
        {problem !== '' && <p role="alert">{problem}</p>}
        <div class={styles.row}>
          <button type="submit">Use this key</button>
          <button type="button" onClick={close}>
            Not now
          </button>
        </div>
      </form>
    </Dialog>
  )
}
