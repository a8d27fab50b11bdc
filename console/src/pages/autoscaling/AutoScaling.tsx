import type { AutoScalingConfigurationSummary } from '@aws-sdk/client-apprunner';
import Badge from '@cloudscape-design/components/badge';
import Button from '@cloudscape-design/components/button';
import SpaceBetween from '@cloudscape-design/components/space-between';
import type { TableProps } from '@cloudscape-design/components/table';
import { useState } from 'react';

import { RecordTable } from '../../parts/RecordTable';
import { RouteLink } from '../../parts/RouteLink';
import { InfoLink, usePage } from '../../shell/page';
import { CreateRevision } from './CreateRevision';
import { DeleteConfiguration } from './DeleteConfiguration';
import { help } from './help';
import { MakeDefault } from './MakeDefault';
import { useConfigurations } from './lists';

const columns: TableProps.ColumnDefinition<AutoScalingConfigurationSummary>[] = [
  {
    id: 'name', header: 'Configuration name', isRowHeader: true, sortingField: 'AutoScalingConfigurationName',
    cell: ({ AutoScalingConfigurationName: name = '', IsDefault: isDefault }) => (
      <SpaceBetween direction="horizontal" size="xs">
        <RouteLink to={`/autoscaling/${name}`}>{name}</RouteLink>
        {isDefault && <Badge color="blue">Default</Badge>}
      </SpaceBetween>
    ),
  },
  { id: 'revision', header: 'Latest revision', sortingField: 'AutoScalingConfigurationRevision', cell: (c) => c.AutoScalingConfigurationRevision },
  { id: 'used', header: 'Used by services', sortingField: 'HasAssociatedService', cell: (c) => (c.HasAssociatedService ? 'Yes' : 'No') },
  { id: 'created', header: 'Created', sortingField: 'CreatedAt', cell: (c) => c.CreatedAt?.toLocaleString() },
];

type Task = 'create' | 'default' | 'delete';

/** The auto scaling configurations, each by its latest revision. */
export default function AutoScaling() {
  usePage('Auto scaling configurations', [], help);
  const query = useConfigurations();
  const [selected, select] = useState('');
  const [task, setTask] = useState<Task>();
  const chosen = query.data?.find((c) => c.AutoScalingConfigurationArn === selected);
  const close = () => { setTask(undefined); };
  return (
    <>
      <RecordTable
        title="Auto scaling configurations" noun="configuration" nouns="configurations"
        description="How many instances serve, by how many requests there are at once."
        info={<InfoLink help={help} about="auto scaling" />}
        query={query} columns={columns} selected={selected} select={select}
        idOf={(c) => c.AutoScalingConfigurationArn ?? ''} nameOf={(c) => c.AutoScalingConfigurationName ?? ''}
        actions={
          <SpaceBetween direction="horizontal" size="xs">
            <Button disabled={!chosen || chosen.IsDefault === true} onClick={() => { setTask('default'); }}>Set as default</Button>
            <Button disabled={!chosen} onClick={() => { setTask('delete'); }}>Delete</Button>
            <Button variant="primary" onClick={() => { setTask('create'); }}>Create configuration</Button>
          </SpaceBetween>
        }
      />
      {task === 'create' && <CreateRevision close={close} />}
      {task === 'default' && chosen && <MakeDefault revision={chosen} close={close} />}
      {task === 'delete' && chosen && <DeleteConfiguration revision={chosen} all close={close} />}
    </>
  );
}
