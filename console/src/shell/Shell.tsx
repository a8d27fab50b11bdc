import AppLayout from '@cloudscape-design/components/app-layout';
import BreadcrumbGroup from '@cloudscape-design/components/breadcrumb-group';
import Spinner from '@cloudscape-design/components/spinner';
import { Suspense, useState } from 'react';
import { Navigate, Outlet, ScrollRestoration, useLocation, useNavigate } from 'react-router';

import { ClientsProvider } from '../aws/clients';
import { QueriesProvider } from '../aws/queries';
import { Joiner } from '../pages/networking/Joiner';
import { useDoor } from '../session/session';
import { Flashes, FlashProvider } from './flash';
import { FrameProvider, HelpPane, useFrame } from './page';
import { SideBar } from './SideBar';
import { TopBar } from './TopBar';

/** Everything behind the sign-in; leads there who has not signed in, and back afterwards. */
export function Shell() {
  const { session } = useDoor();
  const { pathname, search } = useLocation();
  if (!session) return <Navigate to="/signin" replace state={{ from: pathname + search }} />;
  return (
    <ClientsProvider>
      <QueriesProvider>
        <FlashProvider>
          <FrameProvider>
            <Joiner />
            <Layout />
            <ScrollRestoration />
          </FrameProvider>
        </FlashProvider>
      </QueriesProvider>
    </ClientsProvider>
  );
}

const labels = {
  navigation: 'Sections', navigationToggle: 'Open navigation', navigationClose: 'Close navigation',
  tools: 'Help', toolsToggle: 'Open help', toolsClose: 'Close help', notifications: 'Messages',
};

/** The bar stays where the page scrolls beneath it. */
const above = { position: 'sticky', top: 0, zIndex: 1002 } as const;

function Layout() {
  const frame = useFrame();
  const navigate = useNavigate();
  const [navigationOpen, setNavigationOpen] = useState(() => innerWidth > 900);
  const crumbs = [{ text: 'App Runner', href: '/' }, ...frame.page.crumbs];
  return (
    <>
      <div id="top" style={above}><TopBar /></div>
      <AppLayout
        headerSelector="#top"
        ariaLabels={labels}
        notifications={<Flashes />}
        stickyNotifications
        breadcrumbs={<BreadcrumbGroup items={crumbs} onFollow={(event) => { event.preventDefault(); void navigate(event.detail.href); }} />}
        navigation={<SideBar />}
        navigationOpen={navigationOpen}
        onNavigationChange={({ detail }) => { setNavigationOpen(detail.open); }}
        tools={<HelpPane />}
        toolsOpen={frame.open}
        onToolsChange={({ detail }) => { frame.setOpen(detail.open); }}
        content={<Suspense fallback={<Spinner size="large" />}><Outlet /></Suspense>}
      />
    </>
  );
}
