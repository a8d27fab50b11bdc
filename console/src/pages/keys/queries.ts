import { type AccessKeyMetadata, ListAccessKeysCommand } from '@aws-sdk/client-iam';
import { useQuery } from '@tanstack/react-query';

import { useClients } from '../../aws/clients';
import { useSession } from '../../session/session';

/** How many keys a user may have. */
export const mostKeys = 2;

/** The access keys of the user who has signed in. Root is asked for none. */
export function useKeys() {
  const { iam } = useClients();
  const { userName } = useSession();
  return useQuery({
    queryKey: ['keys', userName],
    enabled: userName !== '',
    queryFn: async (): Promise<AccessKeyMetadata[]> => (await iam.send(new ListAccessKeysCommand({ UserName: userName }))).AccessKeyMetadata ?? [],
  });
}
