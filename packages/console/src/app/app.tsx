import { LocationProvider, Route, Router } from 'preact-iso/router'
import { base } from './api/addresses.ts'
import { Frame } from './frame/frame.tsx'
import { NotFoundScreen } from './frame/not-found.tsx'
import { screenPath } from './navigation.ts'
import { TicketScreen } from './screens/ticket/ticket-screen.tsx'
import { TicketsScreen } from './screens/tickets/tickets-screen.tsx'

export function App() {
  return (
    <LocationProvider scope={base}>
      <Frame>
        <Router>
          <Route path={base} component={TicketsScreen} />
          <Route path={screenPath('tickets')} component={TicketsScreen} />
          <Route path={screenPath('tickets/:id')} component={TicketScreen} />
          <Route default component={NotFoundScreen} />
        </Router>
      </Frame>
    </LocationProvider>
  )
}
