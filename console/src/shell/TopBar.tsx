import TopNavigation, { type TopNavigationProps } from '@cloudscape-design/components/top-navigation';
import { useState } from 'react';
import { useNavigate } from 'react-router';

import { useSession } from '../session/session';
import { regions } from '../words/regions';
import { chooseTheme, type Theme, themeNow } from './theme';

/** The bar above everything: the region, the command line, the person. */
export function TopBar() {
  const navigate = useNavigate();
  const { region, setRegion, arn, account, userName, settings, signOut } = useSession();
  const [theme, setTheme] = useState(themeNow);
  const home = { href: '/console/', title: 'Slipway', logo: { src: '/console/slipway.svg', alt: 'Logo' }, onFollow: (event: CustomEvent) => { event.preventDefault(); void navigate('/'); } };
  const changeTheme = (to: Theme) => { chooseTheme(to); setTheme(to); };

  const regionMenu: TopNavigationProps.MenuDropdownUtility = {
    type: 'menu-dropdown', text: region, ariaLabel: `Region: ${region}`,
    items: regions(settings.Region).map(({ code, place }) => ({ id: code, text: place, secondaryText: code, itemType: 'checkbox', checked: code === region })),
    onItemClick: ({ detail }) => { setRegion(detail.id); },
  };
  const personMenu: TopNavigationProps.MenuDropdownUtility = {
    type: 'menu-dropdown', iconName: 'user-profile', text: userName || 'root', description: arn, ariaLabel: `${userName || 'root'} in account ${account}`,
    items: [
      { id: 'keys', text: 'Access keys' },
      {
        id: 'theme', text: 'Appearance',
        items: (['system', 'light', 'dark'] as const).map((id) => ({ id, text: themeWords[id], itemType: 'checkbox', checked: id === theme })),
      },
      { id: 'signout', text: 'Sign out' },
    ],
    onItemClick: ({ detail: { id } }) => {
      if (id === 'keys') void navigate('/keys');
      else if (id === 'signout') signOut();
      else changeTheme(id as Theme);
    },
  };
  return (
    <TopNavigation
      identity={home}
      utilities={[
        { type: 'button', iconName: 'command-prompt', text: 'CLI settings', href: '/console/cli', onClick: (event) => { event.preventDefault(); void navigate('/cli'); } },
        regionMenu,
        personMenu,
      ]}
    />
  );
}

const themeWords: Record<Theme, string> = { system: 'As the system', light: 'Light', dark: 'Dark' };
