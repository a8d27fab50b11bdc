import type { ConnectionSummary } from '@aws-sdk/client-apprunner';
import Button from '@cloudscape-design/components/button';
import Link from '@cloudscape-design/components/link';
import SpaceBetween from '@cloudscape-design/components/space-between';
import StatusIndicator from '@cloudscape-design/components/status-indicator';
import type { TableProps } from '@cloudscape-design/components/table';
import { useState } from 'react';

import { RecordTable } from '../../parts/RecordTable';
import { useFlash } from '../../shell/flash';
import { type Help, InfoLink, usePage } from '../../shell/page';
import { AddConnection } from '../service-form/AddConnection';
import { useConnections } from '../service-form/lists';
import { CompleteHandshake } from './CompleteHandshake';
import { DeleteConnection } from './DeleteConnection';
import { connectionStatus, providerOf } from './provider';

const help: Help = {
  header: 'Connections',
  content: (
    <>
      <p>A connection lets services read private repositories of one provider account. Any number of services can share it.</p>
      <p>
        A new connection waits for its <b>handshake</b>: somebody gives it a token, a password or a deploy key of the provider. It is kept
        sealed and never shown again. Repeat the handshake to renew it.
      </p>
      <p>A connection that a service uses cannot be deleted. Repositories that everybody can read need none.</p>
    </>
  ),
};

const columns: TableProps.ColumnDefinition<ConnectionSummary>[] = [
  {
    id: 'name', header: 'Connection name', isRowHeader: true, sortingField: 'ConnectionName',
    cell: ({ ConnectionName: name, ProviderType: type }) => (
      <Link href={providerOf(type).account} external externalIconAriaLabel={`Opens your ${providerOf(type).name} account in a new tab`}>{name}</Link>
    ),
  },
  { id: 'provider', header: 'Provider', sortingField: 'ProviderType', cell: ({ ProviderType: type }) => providerOf(type).name },
  {
    id: 'status', header: 'Status', sortingField: 'Status',
    cell: ({ Status: status }) => {
      const { text, type } = connectionStatus(status);
      return <StatusIndicator type={type}>{text}</StatusIndicator>;
    },
  },
  { id: 'created', header: 'Created', sortingField: 'CreatedAt', cell: ({ CreatedAt: at }) => at?.toLocaleString() },
];

type Task = 'create' | 'handshake' | 'delete';

/** The connections to source code providers. */
export default function Connections() {
  usePage('Connections', [], help);
  const query = useConnections();
  const flash = useFlash();
  const [selected, select] = useState('');
  const [task, setTask] = useState<Task>();
  const chosen = query.data?.find((c) => c.ConnectionArn === selected);
  const close = () => { setTask(undefined); };
  const made = (arn: string) => {
    select(arn);
    close();
    flash({ type: 'success', header: 'The connection was created', content: 'Complete its handshake to use it.' });
  };
  const create = <Button variant="primary" onClick={() => { setTask('create'); }}>Create connection</Button>;
  return (
    <>
      <RecordTable
        title="Connections" noun="connection" nouns="connections"
        description="Access to private repositories of a provider account."
        info={<InfoLink help={help} about="connections" />}
        query={query} columns={columns} selected={selected} select={select}
        idOf={(c) => c.ConnectionArn ?? ''} nameOf={(c) => c.ConnectionName ?? ''}
        start={<Button onClick={() => { setTask('create'); }}>Create connection</Button>}
        actions={
          <SpaceBetween direction="horizontal" size="xs">
            <Button disabled={!chosen} onClick={() => { setTask('handshake'); }}>Complete handshake</Button>
            <Button disabled={!chosen} onClick={() => { setTask('delete'); }}>Delete</Button>
            {create}
          </SpaceBetween>
        }
      />
      {task === 'create' && <AddConnection dismiss={close} made={made} />}
      {task === 'handshake' && chosen && <CompleteHandshake connection={chosen} close={close} />}
      {task === 'delete' && chosen && <DeleteConnection connection={chosen} close={close} />}
    </>
  );
}
