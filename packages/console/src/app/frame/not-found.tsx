import { useEffect } from 'preact/hooks'
import { base } from '../api/addresses.ts'
import { titlePage } from './about.ts'

/** The server is away, or has another version by now. */
export function NotLoadedScreen() {
  return (
    <>
      <h1>This screen could not be loaded</h1>
      <p>The server does not answer, or was updated since you opened this page.</p>
      <p>
        <button type="button" onClick={() => location.reload()}>
          Reload the page
        </button>
      </p>
    </>
  )
}

export function NotFoundScreen() {
  useEffect(() => titlePage('Not found'), [])
  return (
    <>
      <h1>There is no such screen</h1>
      <p>
        <a href={base}>To the start</a>
      </p>
    </>
  )
}
