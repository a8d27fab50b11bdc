import type { AutoScalingConfiguration } from '@aws-sdk/client-apprunner';
import Badge from '@cloudscape-design/components/badge';
import Button from '@cloudscape-design/components/button';
import SpaceBetween from '@cloudscape-design/components/space-between';
import type { TableProps } from '@cloudscape-design/components/table';
import { useState } from 'react';
import { useParams } from 'react-router';

import { RecordTable } from '../../parts/RecordTable';
import { InfoLink, usePage } from '../../shell/page';
import { CreateRevision } from './CreateRevision';
import { DeleteConfiguration } from './DeleteConfiguration';
import { help } from './help';
import { MakeDefault } from './MakeDefault';
import { useRevisions } from './lists';
import { UsedBy } from './UsedBy';

const columns: TableProps.ColumnDefinition<AutoScalingConfiguration>[] = [
  {
    id: 'revision', header: 'Revision', isRowHeader: true, sortingField: 'AutoScalingConfigurationRevision',
    cell: (c) => (
      <SpaceBetween direction="horizontal" size="xs">
        <span>{c.AutoScalingConfigurationRevision}</span>
        {c.Latest && <Badge>Latest</Badge>}
        {c.IsDefault && <Badge color="blue">Default</Badge>}
      </SpaceBetween>
    ),
  },
  { id: 'concurrency', header: 'Concurrency', sortingField: 'MaxConcurrency', cell: (c) => c.MaxConcurrency },
  { id: 'min', header: 'Minimum size', sortingField: 'MinSize', cell: (c) => c.MinSize },
  { id: 'max', header: 'Maximum size', sortingField: 'MaxSize', cell: (c) => c.MaxSize },
  { id: 'used', header: 'Used by services', sortingField: 'HasAssociatedService', cell: (c) => (c.HasAssociatedService ? 'Yes' : 'No') },
  { id: 'created', header: 'Created', sortingField: 'CreatedAt', cell: (c) => c.CreatedAt?.toLocaleString() },
];

const parents = [{ text: 'Auto scaling configurations', href: '/autoscaling' }];

type Task = 'create' | 'default' | 'delete';

/** The revisions of one auto scaling configuration, and who uses the chosen one. */
export default function Revisions() {
  const { name = '' } = useParams();
  usePage(name, parents, help);
  const query = useRevisions(name);
  const [selected, select] = useState('');
  const [task, setTask] = useState<Task>();
  const chosen = query.data?.find((c) => c.AutoScalingConfigurationArn === selected);
  const close = () => { setTask(undefined); };
  return (
    <SpaceBetween size="l">
      <RecordTable
        title={name} noun="revision" nouns="revisions"
        info={<InfoLink help={help} about="revisions" />}
        query={query} columns={columns} selected={selected} select={select}
        idOf={(c) => c.AutoScalingConfigurationArn ?? ''}
        nameOf={(c) => `Revision ${String(c.AutoScalingConfigurationRevision)}`}
        order={(a, b) => (b.AutoScalingConfigurationRevision ?? 0) - (a.AutoScalingConfigurationRevision ?? 0)}
        actions={
          <SpaceBetween direction="horizontal" size="xs">
            <Button disabled={!chosen || chosen.IsDefault === true} onClick={() => { setTask('default'); }}>Set as default</Button>
            <Button disabled={!chosen} onClick={() => { setTask('delete'); }}>Delete</Button>
            <Button variant="primary" onClick={() => { setTask('create'); }}>Create revision</Button>
          </SpaceBetween>
        }
      />
      {chosen && <UsedBy key={selected} revision={chosen} />}
      {task === 'create' && <CreateRevision of={chosen ?? query.data?.[0]} name={name} close={close} />}
      {task === 'default' && chosen && <MakeDefault revision={chosen} close={close} />}
      {task === 'delete' && chosen && <DeleteConfiguration revision={chosen} close={close} />}
    </SpaceBetween>
  );
}
