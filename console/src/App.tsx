import { I18nProvider } from '@cloudscape-design/components/i18n';
import messages from '@cloudscape-design/components/i18n/messages/all.en';
import { useState } from 'react';
import { RouterProvider } from 'react-router';

import { makeRouter } from './routes';
import { SessionProvider } from './session/session';
import type { Settings } from './session/settings';

/** The whole console. */
export function App({ settings }: { settings: Settings }) {
  const [router] = useState(makeRouter);
  return (
    <I18nProvider locale="en" messages={[messages]}>
      <SessionProvider settings={settings}>
        <RouterProvider router={router} />
      </SessionProvider>
    </I18nProvider>
  );
}
