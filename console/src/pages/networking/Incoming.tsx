import Button from '@cloudscape-design/components/button';
import SpaceBetween from '@cloudscape-design/components/space-between';
import StatusIndicator, { type StatusIndicatorProps } from '@cloudscape-design/components/status-indicator';
import type { TableProps } from '@cloudscape-design/components/table';
import { useState } from 'react';

import { RecordTable } from '../../parts/RecordTable';
import { ServiceLink } from '../../parts/ServiceLink';
import { type Help, InfoLink, usePage } from '../../shell/page';
import { CreateEndpoint } from './CreateEndpoint';
import { DeleteEndpoint } from './DeleteEndpoint';
import { EditEndpoint } from './EditEndpoint';
import { type Endpoint, nameOf, useEndpoints } from './lists';

const help: Help = {
  header: 'Incoming traffic',
  content: (
    <>
      <p>
        A service with a <b>private endpoint</b> answers inside a VPC only: at the addresses of a VPC interface endpoint, one in each of its
        subnets. One endpoint can serve many services.
      </p>
      <p>
        The security groups of the endpoint decide who may connect; they must let HTTPS (TCP 443) in. Two subnets in different zones keep
        the services reachable when one zone fails.
      </p>
      <p>Subnets and security groups can be changed later, name and VPC cannot. An endpoint that services use cannot be deleted.</p>
    </>
  ),
};

const states: Record<string, StatusIndicatorProps.Type> = { available: 'success', pending: 'in-progress', deleting: 'in-progress', failed: 'error' };

const columns: TableProps.ColumnDefinition<Endpoint>[] = [
  { id: 'name', header: 'Name', isRowHeader: true, cell: (e) => nameOf(e.Tags, e.VpcEndpointId) },
  { id: 'id', header: 'Endpoint ID', sortingField: 'VpcEndpointId', cell: (e) => e.VpcEndpointId },
  { id: 'vpc', header: 'VPC', sortingField: 'VpcId', cell: (e) => e.VpcId },
  { id: 'subnets', header: 'Subnets', cell: (e) => e.SubnetIds?.length },
  {
    id: 'status', header: 'Status', sortingField: 'State',
    cell: ({ State: state = 'pending' }) => <StatusIndicator type={states[state.toLowerCase()] ?? 'info'}>{state.charAt(0).toUpperCase() + state.slice(1)}</StatusIndicator>,
  },
  {
    id: 'services', header: 'Services',
    cell: ({ services }) => (services.length === 0 ? 'None' : services.map((arn, i) => (
      <span key={arn}>{i > 0 && ', '}<ServiceLink arn={arn} /></span>
    ))),
  },
];

type Task = 'create' | 'edit' | 'delete';

/** The interface endpoints through which private services are reached. */
export default function Incoming() {
  usePage('Incoming traffic', [], help);
  const query = useEndpoints();
  const [selected, select] = useState('');
  const [task, setTask] = useState<Task>();
  const chosen = query.data?.find((e) => e.VpcEndpointId === selected);
  const close = () => { setTask(undefined); };
  return (
    <>
      <RecordTable
        title="Incoming traffic" noun="VPC interface endpoint" nouns="VPC interface endpoints"
        description="VPC interface endpoints through which private services are reached."
        info={<InfoLink help={help} about="incoming traffic" />}
        query={query} columns={columns} selected={selected} select={select}
        idOf={(e) => e.VpcEndpointId ?? ''} nameOf={(e) => nameOf(e.Tags, e.VpcEndpointId)}
        start={<Button onClick={() => { setTask('create'); }}>Create VPC interface endpoint</Button>}
        actions={
          <SpaceBetween direction="horizontal" size="xs">
            <Button disabled={!chosen} onClick={() => { setTask('edit'); }}>Edit</Button>
            <Button disabled={!chosen} onClick={() => { setTask('delete'); }}>Delete</Button>
            <Button variant="primary" onClick={() => { setTask('create'); }}>Create VPC interface endpoint</Button>
          </SpaceBetween>
        }
      />
      {task === 'create' && <CreateEndpoint dismiss={close} made={({ VpcEndpointId: id = '' }) => { select(id); close(); }} />}
      {task === 'edit' && chosen && <EditEndpoint endpoint={chosen} close={close} />}
      {task === 'delete' && chosen && <DeleteEndpoint endpoint={chosen} close={close} />}
    </>
  );
}
