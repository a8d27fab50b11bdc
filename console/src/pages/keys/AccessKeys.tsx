import { type AccessKeyMetadata } from '@aws-sdk/client-iam';
import Alert from '@cloudscape-design/components/alert';
import Button from '@cloudscape-design/components/button';
import Header from '@cloudscape-design/components/header';
import SpaceBetween from '@cloudscape-design/components/space-between';
import StatusIndicator from '@cloudscape-design/components/status-indicator';
import type { TableProps } from '@cloudscape-design/components/table';
import { useState } from 'react';

import { RecordTable } from '../../parts/RecordTable';
import { useSession } from '../../session/session';
import { InfoLink, usePage } from '../../shell/page';
import { shownTime } from '../../words/time';
import { ChangeKey, type Change } from './ChangeKey';
import { CreateKey } from './CreateKey';
import { help } from './help';
import { mostKeys, useKeys } from './queries';

const columns: TableProps.ColumnDefinition<AccessKeyMetadata>[] = [
  { id: 'id', header: 'Access key ID', isRowHeader: true, sortingField: 'AccessKeyId', cell: (key) => key.AccessKeyId },
  {
    id: 'status', header: 'Status', sortingField: 'Status',
    cell: (key) => <StatusIndicator type={key.Status === 'Active' ? 'success' : 'stopped'}>{key.Status}</StatusIndicator>,
  },
  { id: 'created', header: 'Created', sortingField: 'CreateDate', cell: (key) => shownTime(key.CreateDate) },
];

/** The access keys of the person who has signed in. */
export default function AccessKeys() {
  usePage('Access keys', [], help);
  const { userName } = useSession();
  return userName ? <KeysOfUser userName={userName} /> : <KeysOfRoot />;
}

function KeysOfRoot() {
  return (
    <SpaceBetween size="l">
      <Header variant="h1" info={<InfoLink help={help} about="access keys" />}>Access keys</Header>
      <Alert type="info" header="You are root">
        Nothing limits what root may do, so it gets no keys here. Make a user for everyday work, sign in as that user, and make its keys here.
      </Alert>
    </SpaceBetween>
  );
}

function KeysOfUser({ userName }: { userName: string }) {
  const query = useKeys();
  const [selected, select] = useState('');
  const [task, setTask] = useState<Change | 'create'>();
  const chosen = query.data?.find((key) => key.AccessKeyId === selected);
  const full = (query.data?.length ?? 0) >= mostKeys;
  const close = () => { setTask(undefined); };
  const flip = chosen?.Status === 'Active' ? 'Deactivate' : 'Activate';
  return (
    <>
      <RecordTable
        title="Access keys" noun="access key" nouns="access keys" description={`Keys of ${userName}: programs call the APIs with them.`}
        info={<InfoLink help={help} about="access keys" />} query={query} columns={columns} selected={selected} select={select}
        idOf={(key) => key.AccessKeyId ?? ''} nameOf={(key) => key.AccessKeyId ?? ''}
        actions={
          <SpaceBetween direction="horizontal" size="xs">
            <Button disabled={!chosen} onClick={() => { setTask(flip); }}>{flip}</Button>
            <Button disabled={!chosen} onClick={() => { setTask('Delete'); }}>Delete</Button>
            <Button
              variant="primary" disabled={full} {...(full ? { disabledReason: `A user can have ${String(mostKeys)} keys. Delete one to make another.` } : {})}
              onClick={() => { setTask('create'); }}
            >
              Create access key
            </Button>
          </SpaceBetween>
        }
      />
      {task === 'create' && <CreateKey userName={userName} close={close} />}
      {task !== undefined && task !== 'create' && chosen && <ChangeKey userName={userName} id={chosen.AccessKeyId ?? ''} change={task} close={close} />}
    </>
  );
}
