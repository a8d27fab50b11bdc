import type { DashboardEntry } from '@aws-sdk/client-cloudwatch';
import Button from '@cloudscape-design/components/button';
import SpaceBetween from '@cloudscape-design/components/space-between';
import type { TableProps } from '@cloudscape-design/components/table';
import { useState } from 'react';

import { RecordTable } from '../../parts/RecordTable';
import { RouteLink } from '../../parts/RouteLink';
import { InfoLink, usePage } from '../../shell/page';
import { shownTime } from '../../words/time';
import { CreateDashboard } from './CreateDashboard';
import { DeleteDashboard } from './DeleteDashboard';
import { help } from './help';
import { useDashboards } from './queries';

const columns: TableProps.ColumnDefinition<DashboardEntry>[] = [
  { id: 'name', header: 'Name', isRowHeader: true, sortingField: 'DashboardName', cell: ({ DashboardName: name = '' }) => <RouteLink to={`/dashboards/${name}`}>{name}</RouteLink> },
  { id: 'changed', header: 'Last changed', sortingField: 'LastModified', cell: (d) => shownTime(d.LastModified) },
];

/** The dashboards of the account. */
export default function Dashboards() {
  usePage('Dashboards', [], help);
  const query = useDashboards();
  const [selected, select] = useState('');
  const [task, setTask] = useState<'create' | 'delete'>();
  const chosen = query.data?.find((d) => d.DashboardName === selected);
  const close = () => { setTask(undefined); };
  return (
    <>
      <RecordTable
        title="Dashboards" noun="dashboard" nouns="dashboards" info={<InfoLink help={help} about="dashboards" />}
        query={query} columns={columns} selected={selected} select={select}
        idOf={(d) => d.DashboardName ?? ''} nameOf={(d) => d.DashboardName ?? ''}
        start={<Button onClick={() => { setTask('create'); }}>Create dashboard</Button>}
        actions={
          <SpaceBetween direction="horizontal" size="xs">
            <Button disabled={!chosen} onClick={() => { setTask('delete'); }}>Delete</Button>
            <Button variant="primary" onClick={() => { setTask('create'); }}>Create dashboard</Button>
          </SpaceBetween>
        }
      />
      {task === 'create' && <CreateDashboard others={(query.data ?? []).map((d) => d.DashboardName ?? '')} close={close} />}
      {task === 'delete' && chosen && <DeleteDashboard name={selected} close={close} />}
    </>
  );
}
