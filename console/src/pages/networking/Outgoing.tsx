import type { VpcConnector } from '@aws-sdk/client-apprunner';
import Button from '@cloudscape-design/components/button';
import SpaceBetween from '@cloudscape-design/components/space-between';
import type { TableProps } from '@cloudscape-design/components/table';
import { useState } from 'react';

import { RecordTable } from '../../parts/RecordTable';
import { type Help, InfoLink, usePage } from '../../shell/page';
import { useConnectors } from '../service-form/lists';
import { CreateConnector } from './CreateConnector';
import { DeleteConnector } from './DeleteConnector';

const help: Help = {
  header: 'Outgoing traffic',
  content: (
    <>
      <p>A VPC connector is for services whose own requests go through a VPC, to its databases and caches. Several services can share one.</p>
      <p>Choose private subnets, best in three zones. The security groups decide what the services may connect to. A connector never changes; one that a service uses cannot be deleted.</p>
    </>
  ),
};

const columns: TableProps.ColumnDefinition<VpcConnector>[] = [
  { id: 'name', header: 'Name', isRowHeader: true, sortingField: 'VpcConnectorName', cell: (c) => c.VpcConnectorName },
  { id: 'subnets', header: 'Subnets', cell: (c) => c.Subnets?.join(', ') },
  { id: 'groups', header: 'Security groups', cell: (c) => c.SecurityGroups?.join(', ') },
  { id: 'created', header: 'Created', sortingField: 'CreatedAt', cell: (c) => c.CreatedAt?.toLocaleString() },
];

/** The VPC connectors. */
export default function Outgoing() {
  usePage('Outgoing traffic', [], help);
  const query = useConnectors(true);
  const [selected, select] = useState('');
  const [task, setTask] = useState<'create' | 'delete'>();
  const chosen = query.data?.find((c) => c.VpcConnectorArn === selected);
  const close = () => { setTask(undefined); };
  return (
    <SpaceBetween size="l">
      <RecordTable
        title="Outgoing traffic" noun="VPC connector" nouns="VPC connectors"
        description="Ways through which applications reach what is in a VPC."
        info={<InfoLink help={help} about="outgoing traffic" />}
        query={query} columns={columns} selected={selected} select={select}
        idOf={(c) => c.VpcConnectorArn ?? ''} nameOf={(c) => c.VpcConnectorName ?? ''}
        start={<Button onClick={() => { setTask('create'); }}>Create VPC connector</Button>}
        actions={
          <SpaceBetween direction="horizontal" size="xs">
            <Button disabled={!chosen} onClick={() => { setTask('delete'); }}>Delete</Button>
            <Button variant="primary" onClick={() => { setTask('create'); }}>Create VPC connector</Button>
          </SpaceBetween>
        }
      />
      {task === 'create' && <CreateConnector dismiss={close} made={({ VpcConnectorArn: arn = '' }) => { select(arn); close(); }} />}
      {task === 'delete' && chosen && <DeleteConnector connector={chosen} close={close} />}
    </SpaceBetween>
  );
}
