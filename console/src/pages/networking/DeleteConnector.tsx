import { DeleteVpcConnectorCommand, type VpcConnector } from '@aws-sdk/client-apprunner';
import Box from '@cloudscape-design/components/box';
import { useMutation, useQueryClient } from '@tanstack/react-query';

import { useClients } from '../../aws/clients';
import { Dialog } from '../../parts/Dialog';
import { useFlash } from '../../shell/flash';

/** Asks once more, and deletes a VPC connector. */
export function DeleteConnector({ connector, close }: { connector: VpcConnector; close: () => void }) {
  const { apprunner } = useClients();
  const cache = useQueryClient();
  const flash = useFlash();
  const name = connector.VpcConnectorName ?? '';
  const remove = useMutation({
    mutationFn: () => apprunner.send(new DeleteVpcConnectorCommand({ VpcConnectorArn: connector.VpcConnectorArn })),
    onSuccess: async () => {
      await cache.invalidateQueries({ queryKey: ['vpcconnectors'] });
      flash({ type: 'success', content: `The VPC connector ${name} was deleted.` });
      close();
    },
  });
  return (
    <Dialog header="Delete VPC connector" submitText="Delete" submit={() => { remove.mutate(); }} dismiss={close} busy={remove.isPending} error={remove.error}>
      <Box>Delete the VPC connector <b>{name}</b>? One that a service uses cannot be deleted.</Box>
    </Dialog>
  );
}
