import lazy from 'preact-iso/lazy'
import { LocationProvider, Route, Router } from 'preact-iso/router'
import { base } from './api/addresses.ts'
import { Frame } from './frame/frame.tsx'
import { NotFoundScreen, NotLoadedScreen } from './frame/not-found.tsx'
import { screenPath } from './navigation.ts'

// Each is loaded when somebody goes there: a link to one ticket brings no charts and no settings.
const OverviewScreen = lazy(() =>
  import('./screens/overview/overview-screen.tsx').then((screen) => screen.OverviewScreen, notLoaded),
)
const LineScreen = lazy(() =>
  import('./screens/line/line-screen.tsx').then((screen) => screen.LineScreen, notLoaded),
)
const TicketsScreen = lazy(() =>
  import('./screens/tickets/tickets-screen.tsx').then((screen) => screen.TicketsScreen, notLoaded),
)
const TicketScreen = lazy(() =>
  import('./screens/ticket/ticket-screen.tsx').then((screen) => screen.TicketScreen, notLoaded),
)
const ComposeScreen = lazy(() =>
  import('./screens/compose/compose-screen.tsx').then((screen) => screen.ComposeScreen, notLoaded),
)
const DeadScreen = lazy(() =>
  import('./screens/dead/dead-screen.tsx').then((screen) => screen.DeadScreen, notLoaded),
)
const CompareScreen = lazy(() =>
  import('./screens/compare/compare-screen.tsx').then((screen) => screen.CompareScreen, notLoaded),
)
const ConfigScreen = lazy(() =>
  import('./screens/config/config-screen.tsx').then((screen) => screen.ConfigScreen, notLoaded),
)
const AccessScreen = lazy(() =>
  import('./screens/access/access-screen.tsx').then((screen) => screen.AccessScreen, notLoaded),
)

function notLoaded() {
  return NotLoadedScreen
}

export function App() {
  return (
    <LocationProvider scope={base}>
      <Frame>
        <Router>
          <Route path={base} component={OverviewScreen} />
          <Route path={screenPath('tickets')} component={TicketsScreen} />
          <Route path={screenPath('tickets/:id')} component={TicketScreen} />
          <Route path={screenPath('compare/:a/:b')} component={CompareScreen} />
          <Route path={screenPath('line')} component={LineScreen} />
          <Route path={screenPath('dead')} component={DeadScreen} />
          <Route path={screenPath('compose')} component={ComposeScreen} />
          <Route path={screenPath('config')} component={ConfigScreen} />
          <Route path={screenPath('access')} component={AccessScreen} />
          <Route default component={NotFoundScreen} />
        </Router>
      </Frame>
    </LocationProvider>
  )
}
