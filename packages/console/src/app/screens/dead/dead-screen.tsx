import { useEffect, useState } from 'preact/hooks'
import { listTickets } from '../../api/tickets.ts'
import { titlePage } from '../../frame/about.ts'
import { rememberLook } from '../../frame/use-failed.ts'
import { useShortcuts } from '../../keyboard/use-shortcuts.ts'
import { screenPath } from '../../navigation.ts'
import { Action } from '../../parts/action.tsx'
import { CallerText } from '../../parts/caller-text.tsx'
import { Dialog } from '../../parts/dialog.tsx'
import { plural } from '../../parts/format.ts'
import { Panel } from '../../parts/panel.tsx'
import parts from '../../parts/parts.module.css'
import { RowHints, rowOf, ScrollingTable, useRowKeys } from '../../parts/scrolling-table.tsx'
import { useResource } from '../../parts/use-resource.ts'
import { When } from '../../parts/when.tsx'
import styles from './dead.module.css'
import { type FailureGroup, groupFailures } from './groups.ts'
import { useReplays } from './use-replays.ts'

/** The most that one look takes; the page says when there are more. */
const LOOK = 200

/** Failed tickets by what failed and where, and a way to send them all again. */
export function DeadScreen() {
  const failed = useResource('failed', (signal) => listTickets({ status: 'failed' }, { limit: LOOK, signal }))
  const [asked, setAsked] = useState<FailureGroup>()
  const { progress, start, stop } = useReplays(failed.reload)
  useShortcuts({ reload: failed.reload })
  useRowKeys()
  useEffect(() => titlePage('Dead letters'), [])
  useEffect(() => {
    for (const { finished_at: at } of failed.value?.rows ?? []) if (at !== null) rememberLook(at)
  }, [failed.value])
  return (
    <div class={styles.screen}>
      <div class={parts.actions}>
        <h1>Dead letters</h1>
        <Action does={failed.reload} keys="reload">
          Reload
        </Action>
        {progress && (
          <>
            <span role="status">
              {progress.name}: {progress.done + progress.refused} of {progress.of} sent
            </span>
            <Action does={stop}>Stop</Action>
          </>
        )}
      </div>
      <Panel resource={failed}>
        {({ rows, cursor }) => (
          <>
            <p>
              {rows.length === 0 ? 'No ticket has failed.' : `${plural(rows.length, 'failed ticket')}`}
              {cursor !== undefined && ', the newest; there are more'}
            </p>
            <Groups groups={groupFailures(rows)} ask={setAsked} isBusy={progress !== undefined} />
            {rows.length > 0 && <RowHints />}
          </>
        )}
      </Panel>
      {asked && (
        <ReplayDialog
          group={asked}
          close={() => setAsked(undefined)}
          replay={() => {
            setAsked(undefined)
            void start(nameOfGroup(asked), asked.replayable)
          }}
        />
      )}
    </div>
  )
}

const nameOfGroup = ({ error, backend }: FailureGroup): string =>
  backend === '' ? error : `${error} on ${backend}`

interface GroupsProps {
  readonly groups: readonly FailureGroup[]
  readonly ask: (group: FailureGroup) => void
  readonly isBusy: boolean
}

function Groups({ groups, ask, isBusy }: GroupsProps) {
  if (groups.length === 0) return null
  return (
    <ScrollingTable name="Failures">
      <table class={parts.table}>
        <thead>
          <tr>
            <th>error</th>
            <th>backend</th>
            <th class={parts.numeric}>tickets</th>
            <th>last</th>
            <th class={parts.act}>again</th>
          </tr>
        </thead>
        <tbody>
          {groups.map((group) => (
            <tr
              key={nameOfGroup(group)}
              {...rowOf({ name: nameOfGroup(group), link: `${location.origin}${listOf(group)}` })}
            >
              <td class={styles.error}>
                <a href={listOf(group)}>{group.error}</a>
              </td>
              <td>
                <CallerText text={group.backend} />
              </td>
              <td class={parts.numeric}>{group.rows.length}</td>
              <td>
                <When at={group.newest} />
              </td>
              <td class={parts.act}>
                <Action does={() => ask(group)} unable={unableOf(group, isBusy)}>
                  Replay all {group.replayable.length}
                </Action>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </ScrollingTable>
  )
}

function unableOf({ replayable }: FailureGroup, isBusy: boolean): string | undefined {
  if (isBusy) return 'Others are being sent'
  return replayable.length === 0 ? 'Their content was not kept' : undefined
}

/** The same tickets in the list. */
function listOf({ error, backend }: FailureGroup): string {
  const query = new URLSearchParams({ ...(backend && { backend }), error, status: 'failed' })
  return `${screenPath('tickets')}?${query}`
}

/** Says what will happen before it does. */
function ReplayDialog({
  group,
  close,
  replay,
}: {
  readonly group: FailureGroup
  readonly close: () => void
  readonly replay: () => void
}) {
  const { rows, replayable } = group
  const left = rows.length - replayable.length
  return (
    <Dialog title={`Send ${plural(replayable.length, 'ticket')} again?`} close={close}>
      <p>
        Each becomes a new ticket with the same event and the priority -10, behind what comes by itself. The
        failed ones stay in the list.
      </p>
      {left > 0 && <p>{plural(left, 'ticket')} cannot be sent: the content was not kept.</p>}
      <p class={parts.actions}>
        <Action does={replay} look="primary">
          Send again
        </Action>
        <Action does={close}>Not now</Action>
      </p>
    </Dialog>
  )
}
