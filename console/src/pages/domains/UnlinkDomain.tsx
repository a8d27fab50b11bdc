import { DisassociateCustomDomainCommand } from '@aws-sdk/client-apprunner';
import Box from '@cloudscape-design/components/box';
import { useMutation, useQueryClient } from '@tanstack/react-query';

import { useClients } from '../../aws/clients';
import { Dialog } from '../../parts/Dialog';
import { useFlash } from '../../shell/flash';

/** Asks once more, and unlinks a domain. */
export function UnlinkDomain({ serviceArn, name, close }: { serviceArn: string; name: string; close: () => void }) {
  const { apprunner } = useClients();
  const cache = useQueryClient();
  const flash = useFlash();
  const unlink = useMutation({
    mutationFn: () => apprunner.send(new DisassociateCustomDomainCommand({ ServiceArn: serviceArn, DomainName: name })),
    onSuccess: async () => {
      await cache.invalidateQueries({ queryKey: ['service', serviceArn, 'domains'] });
      flash({ type: 'success', content: `${name} is being unlinked. Remove its records from your DNS.` });
      close();
    },
  });
  return (
    <Dialog header="Unlink domain" submitText="Unlink domain" submit={() => { unlink.mutate(); }} dismiss={close} busy={unlink.isPending} error={unlink.error}>
      <Box>Unlink <b>{name}</b>? The service stops answering under this name at once.</Box>
    </Dialog>
  );
}
