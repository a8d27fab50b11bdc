import '@cloudscape-design/global-styles/index.css';

import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';

import { App } from './App';
import { readSettings } from './session/settings';
import { Failure } from './shell/Failure';
import { followTheme } from './shell/theme';

followTheme();
const root = createRoot(document.getElementById('root') as HTMLElement);
try {
  const settings = await readSettings();
  root.render(<StrictMode><App settings={settings} /></StrictMode>);
} catch (error) {
  root.render(<Failure header="The console cannot start" error={error} />);
}
