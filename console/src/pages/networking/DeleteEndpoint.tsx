import Box from '@cloudscape-design/components/box';
import Alert from '@cloudscape-design/components/alert';
import { useMutation, useQueryClient } from '@tanstack/react-query';

import { useClients } from '../../aws/clients';
import { Dialog } from '../../parts/Dialog';
import { ServiceLink } from '../../parts/ServiceLink';
import { useFlash } from '../../shell/flash';
import { deleteEndpoint } from './endpoint';
import { type Endpoint, nameOf } from './lists';

interface Props {
  endpoint: Endpoint;
  close: () => void;
}

/** Asks once more, and deletes an endpoint; refuses while services are reached through it. */
export function DeleteEndpoint({ endpoint, close }: Props) {
  return endpoint.services.length > 0 ? <InUse endpoint={endpoint} close={close} /> : <Confirm endpoint={endpoint} close={close} />;
}

function InUse({ endpoint, close }: Props) {
  return (
    <Dialog header="Cannot delete VPC interface endpoint" dismiss={close}>
      <Alert type="warning">
        Services are reached through <b>{nameOf(endpoint.Tags, endpoint.VpcEndpointId)}</b>. Detach them first: give each of them a public endpoint, or another
        private one, in its Configuration.
      </Alert>
      <ul>
        {endpoint.services.map((arn) => <li key={arn}><ServiceLink arn={arn} /></li>)}
      </ul>
    </Dialog>
  );
}

function Confirm({ endpoint, close }: Props) {
  const { ec2 } = useClients();
  const cache = useQueryClient();
  const flash = useFlash();
  const name = nameOf(endpoint.Tags, endpoint.VpcEndpointId);
  const remove = useMutation({
    mutationFn: () => deleteEndpoint(ec2, endpoint.VpcEndpointId ?? ''),
    onSuccess: async () => {
      await cache.invalidateQueries({ queryKey: ['ec2', 'endpoints'] });
      flash({ type: 'success', content: `The VPC interface endpoint ${name} is being deleted.` });
      close();
    },
  });
  return (
    <Dialog header="Delete VPC interface endpoint" submitText="Delete" submit={() => { remove.mutate(); }} dismiss={close} busy={remove.isPending} error={remove.error}>
      <Box>Delete the VPC interface endpoint <b>{name}</b> ({endpoint.VpcEndpointId})? No service uses it.</Box>
    </Dialog>
  );
}
