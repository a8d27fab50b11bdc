import type { Service } from '@aws-sdk/client-apprunner';
import Alert from '@cloudscape-design/components/alert';
import Box from '@cloudscape-design/components/box';
import Button from '@cloudscape-design/components/button';
import Header from '@cloudscape-design/components/header';
import SpaceBetween from '@cloudscape-design/components/space-between';
import Spinner from '@cloudscape-design/components/spinner';
import StatusIndicator from '@cloudscape-design/components/status-indicator';
import TextFilter from '@cloudscape-design/components/text-filter';
import { useDeferredValue, useMemo, useState } from 'react';
import { useParams, useSearchParams } from 'react-router';

import '../../parts/lines.css';
import { ErrorAlert } from '../../shell/ErrorAlert';
import { usePage } from '../../shell/page';
import { PageError } from '../../shell/PageError';
import { useService } from '../service/queries';
import { useDownload } from './download';
import { FullLog } from './FullLog';
import { help } from './help';
import { type Log, type LogKind, logOf } from './log';
import { type Range } from './range';
import { RangePicker } from './RangePicker';
import { most, useWholeLog } from './useWholeLog';

/** One log in full. */
export default function LogPage() {
  const { arn = '', kind } = useParams();
  const [query] = useSearchParams();
  const { data: service, error, refetch } = useService(arn);
  if (!service) {
    return error ? <PageError header="The service cannot be shown" error={error} retry={() => { void refetch(); }} /> : <Spinner size="large" />;
  }
  return <OfService service={service} log={logOf(service, (kind ?? 'service') as LogKind, query.get('stream') ?? undefined)} />;
}

/** What is shown at first: all of a short log, the last hour of what an application prints. */
function firstRange(log: Log): Range {
  return log.stream?.startsWith('instance/') || !log.stream ? { type: 'relative', amount: 1, unit: 'hour' } : null;
}

function OfService({ service, log }: { service: Service; log: Log }) {
  const home = `/services/${encodeURIComponent(service.ServiceArn ?? '')}`;
  usePage(log.title, [{ text: 'Services', href: '/services' }, { text: service.ServiceName ?? '', href: `${home}/logs` }], help);
  const [range, setRange] = useState<Range>(() => firstRange(log));
  const [wanted, setWanted] = useState('');
  const words = useDeferredValue(wanted).toLowerCase();
  const { lines, done, cut, error } = useWholeLog(log, range);
  const { download, isPending } = useDownload();
  const matching = useMemo(() => (words ? lines.filter((line) => `${line.text} ${line.stream}`.toLowerCase().includes(words)) : lines), [lines, words]);
  return (
    <SpaceBetween size="m">
      <Header
        variant="h1"
        counter={`(${String(matching.length)})`}
        description={<span className="log-group">Log group {log.group}</span>}
        actions={<Button iconName="download" loading={isPending} onClick={() => { download(log, range); }}>Download</Button>}
      >
        {log.title}
      </Header>
      <SpaceBetween direction="horizontal" size="s">
        <TextFilter
          filteringText={wanted} filteringPlaceholder="Find lines" filteringAriaLabel="Find lines" filteringClearAriaLabel="Clear filter"
          onChange={({ detail }) => { setWanted(detail.filteringText); }}
        />
        <RangePicker range={range} change={setRange} />
        <Box padding={{ top: 'xxs' }}><StatusIndicator type={done ? 'success' : 'loading'}>{done ? 'Up to date' : 'Loading'}</StatusIndicator></Box>
      </SpaceBetween>
      {error ? <ErrorAlert header={`${log.title} cannot be read`} error={error} /> : null}
      {cut && <Alert type="info">The first {most.toLocaleString()} lines of this time are shown. Choose a shorter time to see others, or download the log.</Alert>}
      <FullLog label={log.title} lines={matching} merged={!log.stream} />
    </SpaceBetween>
  );
}
