import { DeleteServiceCommand, type Service } from '@aws-sdk/client-apprunner';
import Alert from '@cloudscape-design/components/alert';
import Box from '@cloudscape-design/components/box';
import FormField from '@cloudscape-design/components/form-field';
import Input from '@cloudscape-design/components/input';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useNavigate } from 'react-router';

import { useClients } from '../../aws/clients';
import { Dialog } from '../../parts/Dialog';
import { isPublic, leave } from '../networking/ingress';
import { useFlash } from '../../shell/flash';

const word = 'delete';

/** Deletes a service after the person has typed that they mean it. */
export function DeleteService({ service, close }: { service: Service; close: () => void }) {
  const { apprunner } = useClients();
  const cache = useQueryClient();
  const flash = useFlash();
  const navigate = useNavigate();
  const [typed, setTyped] = useState('');
  const [tried, setTried] = useState(false);
  const { mutate, isPending, error } = useMutation({
    mutationFn: async () => {
      if (!isPublic(service)) await leave(apprunner, service.ServiceArn ?? ''); // the API deletes no service that is joined to an endpoint
      return apprunner.send(new DeleteServiceCommand({ ServiceArn: service.ServiceArn }));
    },
    onSuccess: () => {
      flash({ id: service.ServiceArn ?? '', type: 'info', header: `${service.ServiceName ?? ''} is being deleted` });
      void cache.invalidateQueries();
      void navigate('/services');
    },
  });
  const submit = () => {
    setTried(true);
    if (typed === word) mutate();
  };
  return (
    <Dialog header={`Delete ${service.ServiceName ?? ''}?`} submitText="Delete" submit={submit} dismiss={close} busy={isPending} error={error}>
      <Alert type="warning">
        The service stops answering at {service.ServiceUrl}, its instances and stored versions go, and its custom domains are unlinked. Nobody can undo this.
        Its logs stay.
      </Alert>
      <FormField
        label={<>To confirm, type <Box variant="code">{word}</Box></>}
        errorText={tried && typed !== word && `Type ${word} to confirm.`}
      >
        <Input value={typed} placeholder={word} autoComplete={false} onChange={({ detail }) => { setTyped(detail.value); }} />
      </FormField>
    </Dialog>
  );
}
