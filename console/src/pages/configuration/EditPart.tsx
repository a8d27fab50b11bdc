import type { Service } from '@aws-sdk/client-apprunner';
import Button from '@cloudscape-design/components/button';
import Form from '@cloudscape-design/components/form';
import Header from '@cloudscape-design/components/header';
import SpaceBetween from '@cloudscape-design/components/space-between';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState, type ReactNode } from 'react';

import { useClients } from '../../aws/clients';
import { useSession } from '../../session/session';
import { apiFaults } from '../service-form/apifaults';
import { BuildFields } from '../service-form/BuildPart';
import { check, type Faults, type Part } from '../service-form/checks';
import { useFocusOnFault } from '../service-form/focus';
import type { ServiceForm } from '../service-form/form';
import { ServiceFields } from '../service-form/ServiceFields';
import { SourceFields } from '../service-form/SourceFields';
import { saveService } from './saveService';
import { titles } from './sections';

interface EditPartProps {
  part: Part;
  service: Service;
  /** The service as it is. */
  before: ServiceForm;
  close: () => void;
}

/** One section of the configuration, open to be changed. What the API cannot change is not among the fields. */
export function EditPart({ part, service, before, close }: EditPartProps) {
  const [form, setForm] = useState(before);
  const [refused, setRefused] = useState(0);
  useFocusOnFault(refused);
  const { account } = useSession();
  const save = useSave(service, before, setForm, close);
  const wrong = { ...check(part, form), ...checkRemoved(part, before, form) };
  const change = (values: Partial<ServiceForm>) => {
    setForm((now) => ({ ...now, ...values }));
    save.reset();
  };
  const submit = () => {
    if (Object.keys(wrong).length > 0) setRefused((n) => n + 1);
    else save.mutate({ after: form, account });
  };
  const faults = { ...apiFaults(save.error), ...(refused > 0 ? wrong : {}) };
  return (
    <form onSubmit={(e) => { e.preventDefault(); submit(); }} noValidate>
      <Form
        header={<Header variant="h2">Edit: {titles[part]}</Header>}
        errorText={save.error?.message}
        actions={
          <SpaceBetween direction="horizontal" size="xs">
            <Button variant="link" formAction="none" onClick={close}>Cancel</Button>
            <Button variant="primary" loading={save.isPending}>Save changes</Button>
          </SpaceBetween>
        }
      >
        {fieldsOf(part, { form, change, faults }, { before, account })}
      </Form>
    </form>
  );
}

interface Fixed {
  before: ServiceForm;
  account: string;
}

function fieldsOf(part: Part, props: { form: ServiceForm; change: (values: Partial<ServiceForm>) => void; faults: Faults }, { before, account }: Fixed): ReactNode {
  switch (part) {
    case 'source':
      return <SourceFields {...props} account={account} fixed={{ hasConnection: before.connectionArn !== '', hasRole: before.access.use !== 'caller' }} />;
    case 'build':
      return <BuildFields {...props} />;
    case 'service':
      return <ServiceFields {...props} fixed={{ hasRole: before.instanceRoleArn !== '' }} />;
  }
}

/** An update without a command keeps the one there is: the API has no way to take it away. */
function checkRemoved(part: Part, before: ServiceForm, after: ServiceForm): Faults {
  const gone = (field: 'startCommand' | 'buildCommand', what: string): Faults =>
    before[field] !== '' && after[field] === '' && after.settingsFrom === before.settingsFrom ? { [field]: `The ${what} of a service can be changed but not taken away.` } : {};
  if (part === 'build') return after.settingsFrom === 'API' ? gone('buildCommand', 'build command') : {};
  return part === 'service' && after.kind === 'image' ? gone('startCommand', 'start command') : {};
}

function useSave(service: Service, before: ServiceForm, made: (form: ServiceForm) => void, close: () => void) {
  const clients = useClients();
  const cache = useQueryClient();
  return useMutation({
    mutationFn: ({ after, account }: { after: ServiceForm; account: string }) => saveService(clients, service, { before, after, account }, made),
    onSettled: () => cache.invalidateQueries(),
    onSuccess: close,
  });
}
