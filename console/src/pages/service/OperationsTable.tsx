import type { OperationSummary, Service } from '@aws-sdk/client-apprunner';
import Button from '@cloudscape-design/components/button';
import SpaceBetween from '@cloudscape-design/components/space-between';
import StatusIndicator from '@cloudscape-design/components/status-indicator';
import type { TableProps } from '@cloudscape-design/components/table';
import type { UseQueryResult } from '@tanstack/react-query';
import { useState } from 'react';
import { useNavigate } from 'react-router';

import { RecordTable } from '../../parts/RecordTable';
import { RouteLink } from '../../parts/RouteLink';
import { operationStatus, operationType, type Shown } from '../../words/status';
import { shownTime } from '../../words/time';
import { useDownload } from '../logs/download';
import { logOf, logPath } from '../logs/log';
import { type Range, spanOf } from '../logs/range';
import { useOperations } from './queries';
import { streamOf, useStreams } from './streams';

/** An operation as it is shown. The filter looks at its fields, and so all of them are shown. */
class Row {
  readonly operation: string;
  readonly status: string;
  readonly started: string;
  readonly ended: string;
  readonly id: string;
  readonly #status: Shown;
  readonly #stream: string;

  constructor(operation: OperationSummary, stream: string) {
    this.#status = operationStatus(operation.Status);
    this.#stream = stream;
    this.operation = operationType(operation.Type);
    this.status = this.#status.text;
    this.started = shownTime(operation.StartedAt);
    this.ended = shownTime(operation.EndedAt);
    this.id = operation.Id ?? '';
  }

  get indicator() { return this.#status.type; }

  /** The stream of its log; empty when it has written nothing. */
  get stream() { return this.#stream; }
}

interface Props {
  service: Service;
  title: string;
  noun: string;
  nouns: string;
  /** Only deployments. */
  deployments?: boolean;
  range?: Range;
}

/** Operations of a service, each with its log. */
export function OperationsTable({ service, title, noun, nouns, deployments = false, range = null }: Props) {
  const query = useRows(service, deployments, range);
  const [selected, select] = useState('');
  const navigate = useNavigate();
  const { download, isPending } = useDownload();
  const chosen = query.data?.find((row) => row.id === selected && row.stream);
  return (
    <RecordTable
      variant="container" title={title} noun={noun} nouns={nouns} query={query} columns={columnsOf(service)} selected={selected} select={select}
      idOf={(row) => row.id} nameOf={(row) => `${row.operation} ${row.started}`} order={(a, b) => b.started.localeCompare(a.started)}
      actions={
        <SpaceBetween direction="horizontal" size="xs">
          <Button disabled={!chosen} onClick={() => { if (chosen) void navigate(logPath(service, 'service', chosen.stream)); }}>View log</Button>
          <Button
            iconName="download" disabled={!chosen} loading={isPending}
            onClick={() => { if (chosen) download(logOf(service, 'service', chosen.stream)); }}
          >
            Download log
          </Button>
        </SpaceBetween>
      }
    />
  );
}

function columnsOf(service: Service): TableProps.ColumnDefinition<Row>[] {
  return [
    {
      id: 'operation', header: 'Operation', isRowHeader: true, sortingField: 'operation',
      cell: (row) => (row.stream ? <RouteLink to={logPath(service, 'service', row.stream)}>{row.operation}</RouteLink> : row.operation),
    },
    { id: 'status', header: 'Status', sortingField: 'status', cell: (row) => <StatusIndicator type={row.indicator}>{row.status}</StatusIndicator> },
    { id: 'started', header: 'Started', sortingField: 'started', cell: (row) => row.started },
    { id: 'ended', header: 'Ended', sortingField: 'ended', cell: (row) => row.ended || '–' },
    { id: 'id', header: 'Operation ID', cell: (row) => row.id },
  ];
}

/** The operations as rows, with the streams of their logs. */
function useRows(service: Service, deployments: boolean, range: Range): UseQueryResult<Row[]> {
  const operations = useOperations(service);
  const { data: streams = [] } = useStreams(service, 'service');
  const rows = operations.data
    ?.filter((operation) => isWithin(operation, range))
    .map((operation) => new Row(operation, streamOf(operation, streams) ?? ''))
    .filter((row) => !deployments || row.stream.startsWith('deployment/'));
  return { ...operations, data: rows } as UseQueryResult<Row[]>;
}

function isWithin({ StartedAt: at }: OperationSummary, range: Range): boolean {
  const { startTime = -Infinity, endTime = Infinity } = spanOf(range, Date.now());
  return !at || (at.getTime() >= startTime && at.getTime() < endTime);
}
