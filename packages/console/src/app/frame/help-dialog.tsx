import { SHORTCUTS, shown } from '../keyboard/shortcuts.ts'
import { singleKeys, switchSingleKeys } from '../keyboard/use-shortcuts.ts'
import { Dialog } from '../parts/dialog.tsx'
import styles from './frame.module.css'

const groups = [...new Set(SHORTCUTS.map(({ group }) => group))]

/** Every key, from the table that makes them work. */
export function HelpDialog({ close }: { readonly close: () => void }) {
  return (
    <Dialog title="Keys" close={close}>
      <div class={styles.help}>
        {groups.map((group) => (
          <section key={group}>
            <h3>{group}</h3>
            <dl>
              {SHORTCUTS.filter((one) => one.group === group).map(({ id, keys, words }) => (
                <>
                  <dt key={`${id} keys`}>
                    {keys.map((key, index) => (
                      <>
                        {index > 0 && ' '}
                        <kbd key={key}>{shown(key)}</kbd>
                      </>
                    ))}
                  </dt>
                  <dd key={id}>{words}</dd>
                </>
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
        <div class={styles.row}>
          <button type="button" onClick={close}>
            Close
          </button>
        </div>
      </div>
    </Dialog>
  )
}
