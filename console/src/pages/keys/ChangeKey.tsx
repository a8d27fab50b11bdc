import { DeleteAccessKeyCommand, UpdateAccessKeyCommand } from '@aws-sdk/client-iam';
import Box from '@cloudscape-design/components/box';
import { useMutation, useQueryClient } from '@tanstack/react-query';

import { useClients } from '../../aws/clients';
import { Dialog } from '../../parts/Dialog';

export type Change = 'Activate' | 'Deactivate' | 'Delete';

const means: Record<Change, string> = {
  Activate: 'Programs that have it can use it again.',
  Deactivate: 'Calls made with it are refused until it is activated again.',
  Delete: 'Calls made with it are refused from then on. Nobody can undo this.',
};

/** Deletes an access key, or switches it on or off, after asking. */
export function ChangeKey({ userName, id, change, close }: { userName: string; id: string; change: Change; close: () => void }) {
  const { iam } = useClients();
  const cache = useQueryClient();
  const { mutate, error, isPending } = useMutation({
    mutationFn: async () => {
      const key = { UserName: userName, AccessKeyId: id };
      if (change === 'Delete') await iam.send(new DeleteAccessKeyCommand(key));
      else await iam.send(new UpdateAccessKeyCommand({ ...key, Status: change === 'Activate' ? 'Active' : 'Inactive' }));
    },
    onSuccess: async () => {
      await cache.invalidateQueries({ queryKey: ['keys'] });
      close();
    },
  });
  return (
    <Dialog header={`${change} the access key?`} submitText={change} submit={() => { mutate(); }} dismiss={close} busy={isPending} error={error}>
      <Box><Box variant="code">{id}</Box>: {means[change]}</Box>
    </Dialog>
  );
}
