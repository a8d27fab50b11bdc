import type { ConnectionSummary } from '@aws-sdk/client-apprunner';
import ExpandableSection from '@cloudscape-design/components/expandable-section';
import FormField from '@cloudscape-design/components/form-field';
import Input from '@cloudscape-design/components/input';
import SegmentedControl from '@cloudscape-design/components/segmented-control';
import SpaceBetween from '@cloudscape-design/components/space-between';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';

import { useClients } from '../../aws/clients';
import { Dialog } from '../../parts/Dialog';
import { useFlash } from '../../shell/flash';
import { CredentialFields } from './CredentialFields';
import { blankHandshake, checkHandshake, type Handshake, handshakeInput, kinds } from './handshake';
import { providerOf } from './provider';

/** Gives a connection its credential, tried first where a repository is named. */
export function CompleteHandshake({ connection, close }: { connection: ConnectionSummary; close: () => void }) {
  const [values, setValues] = useState(blankHandshake);
  const [tried, setTried] = useState(false);
  const give = useGive(connection, close);
  const faults = checkHandshake(values);
  const shown = tried ? faults : {};
  const provider = providerOf(connection.ProviderType);
  const set = (changed: Partial<Handshake>) => { setValues((now) => ({ ...now, ...changed })); };
  const submit = () => {
    setTried(true);
    if (Object.keys(faults).length === 0) give.mutate(values);
  };
  return (
    <Dialog header={`Complete handshake: ${connection.ConnectionName ?? ''}`} submitText="Complete handshake" submit={submit} dismiss={close} busy={give.isPending} error={give.error}>
      <FormField label={`Credential of ${provider.name}`} stretch>
        <SegmentedControl
          label="Kind of credential" selectedId={values.kind} options={kinds}
          onChange={({ detail }) => { set({ kind: detail.selectedId as Handshake['kind'] }); }}
        />
      </FormField>
      <CredentialFields values={values} faults={shown} set={set} provider={provider} />
      <ExpandableSection headerText="Try it with a repository">
        <SpaceBetween size="m">
          <FormField
            label={<>Repository URL <i>- optional</i></>} errorText={shown['repository']} stretch
            description="It is read once now. A credential that the provider refuses puts the connection into the status Error."
          >
            <Input value={values.repository} placeholder={provider.repository} spellcheck={false} onChange={({ detail }) => { set({ repository: detail.value }); }} />
          </FormField>
          <FormField label="Branch" errorText={shown['branch']}>
            <Input value={values.branch} spellcheck={false} onChange={({ detail }) => { set({ branch: detail.value }); }} />
          </FormField>
        </SpaceBetween>
      </ExpandableSection>
    </Dialog>
  );
}

function useGive(connection: ConnectionSummary, close: () => void) {
  const { slipway } = useClients();
  const cache = useQueryClient();
  const flash = useFlash();
  return useMutation({
    mutationFn: (values: Handshake) => slipway.completeConnection(handshakeInput(connection.ConnectionArn ?? '', values)),
    onSuccess: async ({ Connection: { ConnectionName: name, Status: status } }) => {
      await cache.invalidateQueries({ queryKey: ['connections'] });
      if (status === 'AVAILABLE') flash({ type: 'success', content: `The connection ${name} is available.` });
      else flash({ type: 'error', header: `${providerOf(connection.ProviderType).name} refused the credential of ${name}`, content: 'Complete the handshake again with another one.' });
      close();
    },
  });
}
