import './theme/tokens.css'
import './theme/base.css'
import { render } from 'preact'
import { App } from './app.tsx'
import { followTab } from './frame/about.ts'
import { listenForKeys } from './keyboard/use-shortcuts.ts'
import { startFeed } from './live/live.ts'
import { followTheme } from './theme/theme.ts'

const root = document.getElementById('app')
if (root === null) throw new Error('The page has no place for the app.')
followTheme()
followTab()
listenForKeys()
startFeed()
render(<App />, root)
