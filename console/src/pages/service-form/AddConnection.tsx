import { CreateConnectionCommand, type ProviderType } from '@aws-sdk/client-apprunner';
import FormField from '@cloudscape-design/components/form-field';
import Input from '@cloudscape-design/components/input';
import RadioGroup from '@cloudscape-design/components/radio-group';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';

import { useClients } from '../../aws/clients';
import { Dialog } from '../../parts/Dialog';
import { checkName } from './checks';

/** Makes a connection; what is left to do is its handshake. */
export function AddConnection({ dismiss, made }: { dismiss: () => void; made: (arn: string) => void }) {
  const { apprunner } = useClients();
  const cache = useQueryClient();
  const [name, setName] = useState('');
  const [provider, setProvider] = useState<ProviderType>('GITHUB');
  const [tried, setTried] = useState(false);
  const fault = checkName('name', name, 32)['name'];
  const create = useMutation({
    mutationFn: () => apprunner.send(new CreateConnectionCommand({ ConnectionName: name, ProviderType: provider })),
    onSuccess: async ({ Connection: connection }) => {
      await cache.invalidateQueries({ queryKey: ['connections'] });
      made(connection?.ConnectionArn ?? '');
    },
  });
  const submit = () => {
    setTried(true);
    if (!fault) create.mutate();
  };
  return (
    <Dialog header="Add a connection" submitText="Add connection" submit={submit} dismiss={dismiss} busy={create.isPending} error={create.error}>
      <FormField label="Provider">
        <RadioGroup
          value={provider}
          items={[{ value: 'GITHUB', label: 'GitHub' }, { value: 'BITBUCKET', label: 'Bitbucket' }]}
          onChange={({ detail }) => { setProvider(detail.value === 'BITBUCKET' ? 'BITBUCKET' : 'GITHUB'); }}
        />
      </FormField>
      <FormField label="Connection name" constraintText={'4 to 32 letters, digits, "-" and "_".'} errorText={tried ? fault : undefined}>
        <Input value={name} spellcheck={false} onChange={({ detail }) => { setName(detail.value); }} />
      </FormField>
    </Dialog>
  );
}
