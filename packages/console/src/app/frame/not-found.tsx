import { useEffect } from 'preact/hooks'
import { base } from '../api/addresses.ts'
import { titlePage } from './about.ts'

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
