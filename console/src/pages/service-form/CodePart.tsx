import type { ConnectionSummary } from '@aws-sdk/client-apprunner';
import Alert from '@cloudscape-design/components/alert';
import Button from '@cloudscape-design/components/button';
import FormField from '@cloudscape-design/components/form-field';
import Input from '@cloudscape-design/components/input';
import Select from '@cloudscape-design/components/select';
import SpaceBetween from '@cloudscape-design/components/space-between';
import { useState } from 'react';

import { CompleteHandshake } from '../connections/CompleteHandshake';
import { AddConnection } from './AddConnection';
import { useConnections } from './lists';
import type { PartProps } from './part';

/** Which repository: the connection it is read with, its URL, the branch and the directory. */
export function CodePart({ form, change, faults, mustConnect }: PartProps & { /** A connection can be changed but not taken away. */ mustConnect?: boolean }) {
  return (
    <SpaceBetween size="l">
      <ConnectionField arn={form.connectionArn} fault={faults['connectionArn']} choose={(connectionArn) => { change({ connectionArn }); }} must={mustConnect ?? false} />
      <FormField label="Repository" description="The URL that git clones from." errorText={faults['repositoryUrl']} stretch>
        <Input
          value={form.repositoryUrl}
          type="url"
          spellcheck={false}
          placeholder="https://github.com/owner/repository"
          onChange={({ detail }) => { change({ repositoryUrl: detail.value.trim() }); }}
        />
      </FormField>
      <FormField label="Branch" description="The newest commit of this branch is deployed." errorText={faults['branch']}>
        <Input value={form.branch} spellcheck={false} onChange={({ detail }) => { change({ branch: detail.value.trim() }); }} />
      </FormField>
      <FormField label="Source directory" description="Where the application is in the repository. With automatic deployment, only changes below it deploy." errorText={faults['sourceDirectory']}>
        <Input value={form.sourceDirectory} spellcheck={false} onChange={({ detail }) => { change({ sourceDirectory: detail.value }); }} />
      </FormField>
    </SpaceBetween>
  );
}

const providers: Record<string, string> = { GITHUB: 'GitHub', BITBUCKET: 'Bitbucket' };

function optionOf(c: ConnectionSummary) {
  const waits = c.Status === 'AVAILABLE' ? {} : { labelTag: c.Status === 'PENDING_HANDSHAKE' ? 'Pending handshake' : 'Error' };
  return { value: c.ConnectionArn ?? '', label: c.ConnectionName ?? '', description: providers[c.ProviderType ?? ''] ?? '', ...waits };
}

interface ConnectionFieldProps {
  arn: string;
  fault: string | undefined;
  choose: (arn: string) => void;
  must: boolean;
}

function ConnectionField({ arn, fault, choose, must }: ConnectionFieldProps) {
  const [task, setTask] = useState<'add' | 'handshake'>();
  const { data, isPending, error } = useConnections();
  const known = (data ?? []).map(optionOf);
  const options = must ? known : [{ value: '', label: 'None', description: 'The repository can be read by everybody.' }, ...known];
  const chosen = data?.find((c) => c.ConnectionArn === arn);
  const made = (added: string) => {
    choose(added);
    setTask('handshake');
  };
  return (
    <SpaceBetween size="s">
      <FormField
        label="Connection to a provider"
        description="The account at the provider that the repository is read with."
        errorText={fault}
        secondaryControl={<Button formAction="none" onClick={() => { setTask('add'); }}>Add new</Button>}
        stretch
      >
        <Select
          options={options}
          selectedOption={options.find((o) => o.value === arn) ?? null}
          statusType={isPending ? 'loading' : error ? 'error' : 'finished'}
          errorText={error?.message}
          filteringType="auto"
          filteringAriaLabel="Find"
          onChange={({ detail }) => { choose(detail.selectedOption.value ?? ''); }}
        />
      </FormField>
      {chosen && chosen.Status !== 'AVAILABLE' && <Unfinished connection={chosen} complete={() => { setTask('handshake'); }} />}
      {task === 'add' && <AddConnection dismiss={() => { setTask(undefined); }} made={made} />}
      {task === 'handshake' && chosen && <CompleteHandshake connection={chosen} close={() => { setTask(undefined); }} />}
    </SpaceBetween>
  );
}

function Unfinished({ connection, complete }: { connection: ConnectionSummary; complete: () => void }) {
  const refused = connection.Status === 'ERROR';
  return (
    <Alert
      type={refused ? 'error' : 'warning'}
      header={refused ? 'The provider refused the credential' : 'The handshake is not complete'}
      action={<Button formAction="none" onClick={complete}>Complete handshake</Button>}
    >
      A service can use {connection.ConnectionName} once it is available.
    </Alert>
  );
}
