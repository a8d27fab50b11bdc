import FormField from '@cloudscape-design/components/form-field';
import Input from '@cloudscape-design/components/input';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';

import { useClients } from '../../aws/clients';
import { Dialog } from '../../parts/Dialog';
import { useFlash } from '../../shell/flash';
import { moveEndpoint, placeOf } from './endpoint';
import { type Endpoint, nameOf } from './lists';
import { checkPlace, NetworkFields } from './NetworkFields';

/** Changes the subnets and security groups of an endpoint. Its name and VPC are fixed. */
export function EditEndpoint({ endpoint, close }: { endpoint: Endpoint; close: () => void }) {
  const { ec2 } = useClients();
  const cache = useQueryClient();
  const flash = useFlash();
  const [place, setPlace] = useState(() => placeOf(endpoint));
  const [tried, setTried] = useState(false);
  const name = nameOf(endpoint.Tags, endpoint.VpcEndpointId);
  const faults = {
    ...checkPlace(place),
    ...(place.groups.length === 0 ? { groups: 'Choose at least one security group.' } : {}),
  };
  const save = useMutation({
    mutationFn: () => moveEndpoint(ec2, endpoint, place),
    onSuccess: async () => {
      await cache.invalidateQueries({ queryKey: ['ec2', 'endpoints'] });
      flash({ type: 'success', content: `The VPC interface endpoint ${name} was updated.` });
      close();
    },
  });
  const submit = () => {
    setTried(true);
    if (Object.keys(faults).length === 0) save.mutate();
  };
  return (
    <Dialog header="Edit VPC interface endpoint" size="large" submitText="Save changes" submit={submit} dismiss={close} busy={save.isPending} error={save.error}>
      <FormField label="Name" description="It cannot be changed." stretch><Input value={name} disabled /></FormField>
      <NetworkFields place={place} set={setPlace} faults={tried ? faults : {}} fixedVpc advice="The endpoint has an address in each." />
    </Dialog>
  );
}
