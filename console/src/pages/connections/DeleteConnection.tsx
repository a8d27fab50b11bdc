import { type ConnectionSummary, DeleteConnectionCommand } from '@aws-sdk/client-apprunner';
import Box from '@cloudscape-design/components/box';
import { useMutation, useQueryClient } from '@tanstack/react-query';

import { useClients } from '../../aws/clients';
import { Dialog } from '../../parts/Dialog';
import { useFlash } from '../../shell/flash';

/** Asks once more, and deletes the connection with its credential. */
export function DeleteConnection({ connection, close }: { connection: ConnectionSummary; close: () => void }) {
  const { apprunner } = useClients();
  const cache = useQueryClient();
  const flash = useFlash();
  const name = connection.ConnectionName ?? '';
  const remove = useMutation({
    mutationFn: () => apprunner.send(new DeleteConnectionCommand({ ConnectionArn: connection.ConnectionArn })),
    onSuccess: async () => {
      await cache.invalidateQueries({ queryKey: ['connections'] });
      flash({ type: 'success', content: `The connection ${name} was deleted.` });
      close();
    },
  });
  return (
    <Dialog header="Delete connection" submitText="Delete" submit={() => { remove.mutate(); }} dismiss={close} busy={remove.isPending} error={remove.error}>
      <Box>Delete the connection <b>{name}</b> and the credential it holds? Services can no longer be created with it.</Box>
    </Dialog>
  );
}
