import { applyMode, Mode } from '@cloudscape-design/global-styles';

/** How the console looks: as the system does, or always light or dark. */
export type Theme = 'system' | 'light' | 'dark';

const kept = 'slipway.theme';
const prefersDark = matchMedia('(prefers-color-scheme: dark)');

export function themeNow(): Theme {
  const theme = localStorage.getItem(kept);
  return theme === 'light' || theme === 'dark' ? theme : 'system';
}

function show() {
  const theme = themeNow();
  applyMode(theme === 'dark' || (theme === 'system' && prefersDark.matches) ? Mode.Dark : Mode.Light);
}

export function chooseTheme(theme: Theme) {
  localStorage.setItem(kept, theme);
  show();
}

/** Shows the chosen theme from now on, through changes of the system's. */
export function followTheme() {
  show();
  prefersDark.addEventListener('change', show);
}
