import type { VpcEndpoint } from '@aws-sdk/client-ec2';
import FormField from '@cloudscape-design/components/form-field';
import Input from '@cloudscape-design/components/input';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';

import { useClients } from '../../aws/clients';
import { Dialog } from '../../parts/Dialog';
import { TagsEditor } from '../../parts/TagsEditor';
import { useSession } from '../../session/session';
import { useFlash } from '../../shell/flash';
import { blankEndpoint, checkEndpoint, createEndpoint, type EndpointForm } from './endpoint';
import { NetworkFields } from './NetworkFields';

const most = 49; // one of EC2's 50 tags is the name

/** Makes an interface endpoint for private services. */
export function CreateEndpoint({ dismiss, made }: { dismiss: () => void; made: (endpoint: VpcEndpoint) => void }) {
  const { ec2 } = useClients();
  const { region } = useSession();
  const cache = useQueryClient();
  const flash = useFlash();
  const [form, setForm] = useState(blankEndpoint);
  const [tried, setTried] = useState(false);
  const faults = checkEndpoint(form);
  const shown = tried ? faults : {};
  const set = (values: Partial<EndpointForm>) => { setForm((now) => ({ ...now, ...values })); };
  const create = useMutation({
    mutationFn: () => createEndpoint(ec2, region, form),
    onSuccess: async (endpoint) => {
      await cache.invalidateQueries({ queryKey: ['ec2', 'endpoints'] });
      flash({ type: 'success', content: `The VPC interface endpoint ${form.name} (${endpoint.VpcEndpointId ?? ''}) was created.` });
      made(endpoint);
    },
  });
  const submit = () => {
    setTried(true);
    if (Object.keys(faults).length === 0) create.mutate();
  };
  return (
    <Dialog header="Create VPC interface endpoint" size="large" submitText="Create" submit={submit} dismiss={dismiss} busy={create.isPending} error={create.error}>
      <FormField label="Name" errorText={shown['name']} stretch>
        <Input value={form.name} spellcheck={false} onChange={({ detail }) => { set({ name: detail.value }); }} />
      </FormField>
      <NetworkFields
        place={form.place} set={(place) => { set({ place }); }} faults={shown}
        advice="The endpoint gets an address in each. Two subnets in different zones keep it reachable when one zone fails."
      />
      <FormField label={<>Tags <i>- optional</i></>} stretch>
        <TagsEditor tags={form.tags} most={most} set={(tags) => { set({ tags }); }} faultAt={(at, part) => shown[`tags.${String(at)}.${part}`]} />
      </FormField>
    </Dialog>
  );
}
