import SideNavigation, { type SideNavigationProps } from '@cloudscape-design/components/side-navigation';
import { useLocation, useNavigate } from 'react-router';

const items: SideNavigationProps.Item[] = [
  { type: 'link', text: 'Services', href: '/services' },
  { type: 'link', text: 'Connections', href: '/connections' },
  { type: 'link', text: 'Auto scaling', href: '/autoscaling' },
  {
    type: 'section', text: 'Network configurations',
    items: [
      { type: 'link', text: 'Outgoing traffic', href: '/networking/outgoing' },
      { type: 'link', text: 'Incoming traffic', href: '/networking/incoming' },
    ],
  },
  { type: 'link', text: 'Dashboards', href: '/dashboards' },
  { type: 'divider' },
  { type: 'link', text: 'Access keys', href: '/keys' },
  { type: 'link', text: 'CLI settings', href: '/cli' },
];

const areas = ['/services', '/connections', '/autoscaling', '/networking/outgoing', '/networking/incoming', '/dashboards', '/keys', '/cli'];

/** The navigation pane. */
export function SideBar() {
  const { pathname } = useLocation();
  const navigate = useNavigate();
  return (
    <SideNavigation
      header={{ text: 'App Runner', href: '/' }}
      items={items}
      activeHref={areas.find((area) => pathname.startsWith(area)) ?? ''}
      onFollow={(event) => {
        event.preventDefault();
        void navigate(event.detail.href);
      }}
    />
  );
}
