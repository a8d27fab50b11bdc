import { MutationCache, QueryCache, QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { type ReactNode, useMemo } from 'react';

import { useSession } from '../session/session';
import { isSessionOver, isWorthRetrying } from './errors';

/** Keeps what the APIs answered, apart for each session and region. */
export function QueriesProvider({ children }: { children: ReactNode }) {
  const { credentials, region, signOut } = useSession();
  const client = useMemo(() => {
    const onError = (error: unknown) => {
      if (isSessionOver(error)) signOut('Your session is no longer valid. Sign in again.');
    };
    return new QueryClient({
      queryCache: new QueryCache({ onError }),
      mutationCache: new MutationCache({ onError }),
      // An installation can be reached on machines that the browser takes for offline.
      defaultOptions: {
        queries: { networkMode: 'always', retry: (failures, error) => failures < 2 && isWorthRetrying(error), staleTime: 1000 },
        mutations: { networkMode: 'always' },
      },
    });
    // A new client for each session and region: nothing of one is shown in another.
  }, [credentials, region, signOut]);
  return <QueryClientProvider key={credentials.accessKeyId + region} client={client}>{children}</QueryClientProvider>;
}
