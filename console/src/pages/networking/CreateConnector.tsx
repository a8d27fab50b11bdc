import type { VpcConnector } from '@aws-sdk/client-apprunner';
import FormField from '@cloudscape-design/components/form-field';
import Input from '@cloudscape-design/components/input';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';

import { useClients } from '../../aws/clients';
import { Dialog } from '../../parts/Dialog';
import { TagsEditor } from '../../parts/TagsEditor';
import { useFlash } from '../../shell/flash';
import { maxTags } from '../service-form/limits';
import { blankConnector, checkConnector, type ConnectorForm, createConnector } from './connector';
import { NetworkFields } from './NetworkFields';

/** Makes a VPC connector. */
export function CreateConnector({ dismiss, made }: { dismiss: () => void; made: (connector: VpcConnector) => void }) {
  const { apprunner } = useClients();
  const cache = useQueryClient();
  const flash = useFlash();
  const [form, setForm] = useState(blankConnector);
  const [tried, setTried] = useState(false);
  const faults = checkConnector(form);
  const shown = tried ? faults : {};
  const set = (values: Partial<ConnectorForm>) => { setForm((now) => ({ ...now, ...values })); };
  const create = useMutation({
    mutationFn: () => createConnector(apprunner, form),
    onSuccess: async (connector) => {
      await cache.invalidateQueries({ queryKey: ['vpcconnectors'] });
      flash({ type: 'success', content: `The VPC connector ${form.name} was created.` });
      made(connector);
    },
  });
  const submit = () => {
    setTried(true);
    if (Object.keys(faults).length === 0) create.mutate();
  };
  return (
    <Dialog header="Create VPC connector" size="large" submitText="Create" submit={submit} dismiss={dismiss} busy={create.isPending} error={create.error}>
      <FormField label="VPC connector name" constraintText={'4 to 40 letters, digits, "-" and "_". It cannot be changed later.'} errorText={shown['name']} stretch>
        <Input value={form.name} spellcheck={false} onChange={({ detail }) => { set({ name: detail.value }); }} />
      </FormField>
      <NetworkFields place={form.place} set={(place) => { set({ place }); }} faults={shown} advice="Private subnets, best in three zones." />
      <FormField label={<>Tags <i>- optional</i></>} stretch>
        <TagsEditor tags={form.tags} most={maxTags} set={(tags) => { set({ tags }); }} faultAt={(at, part) => shown[`tags.${String(at)}.${part}`]} />
      </FormField>
    </Dialog>
  );
}
