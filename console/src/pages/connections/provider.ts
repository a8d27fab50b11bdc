import type { ConnectionStatus, ProviderType } from '@aws-sdk/client-apprunner';

import type { Shown } from '../../words/status';

/** What a person has to know about a provider. */
interface Provider {
  name: string;
  /** Where a person looks after the account, its tokens and keys. */
  account: string;
  /** How a token for reading repositories is made. */
  token: string;
  /** The form of a repository's URL. */
  repository: string;
}

const providers: Record<ProviderType, Provider> = {
  GITHUB: {
    name: 'GitHub', account: 'https://github.com/settings/tokens', repository: 'https://github.com/owner/repository',
    token: 'A fine-grained personal access token, or that of an app installation, which may read the contents of the repositories.',
  },
  BITBUCKET: {
    name: 'Bitbucket', account: 'https://bitbucket.org/account/settings/', repository: 'https://bitbucket.org/workspace/repository',
    token: 'An access token of the workspace, project or repository with the scope to read repositories.',
  },
};

/** A provider that this console does not know is shown by the name that the API has for it. */
export function providerOf(type: ProviderType = 'GITHUB'): Provider {
  return providers[type] ?? { ...providers.GITHUB, name: type };
}

const statuses: Record<ConnectionStatus, Shown> = {
  PENDING_HANDSHAKE: { text: 'Pending handshake', type: 'pending' },
  AVAILABLE: { text: 'Available', type: 'success' },
  ERROR: { text: 'Error: the provider refused the credential', type: 'error' },
  DELETED: { text: 'Deleted', type: 'stopped' },
};

export const connectionStatus = (status: ConnectionStatus = 'PENDING_HANDSHAKE'): Shown => statuses[status] ?? { text: status, type: 'info' };
