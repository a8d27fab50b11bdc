import type { Service } from '@aws-sdk/client-apprunner';
import Button from '@cloudscape-design/components/button';
import Container from '@cloudscape-design/components/container';
import Header from '@cloudscape-design/components/header';
import Select from '@cloudscape-design/components/select';
import SpaceBetween from '@cloudscape-design/components/space-between';
import { useState } from 'react';
import { useNavigate } from 'react-router';

import { InfoLink } from '../../shell/page';
import { instanceOf, useDownload } from '../logs/download';
import { help } from '../logs/help';
import { type LogKind, logOf, logPath } from '../logs/log';
import type { Range } from '../logs/range';
import { RangePicker } from '../logs/RangePicker';
import { Tail } from '../logs/Tail';
import { OperationsTable } from './OperationsTable';
import { useStreams } from './streams';

/** The logs of a service: what happened to it, what deployments did, what the application printed. */
export function LogsTab({ service }: { service: Service }) {
  const [range, setRange] = useState<Range>(null);
  const [instance, setInstance] = useState('');
  return (
    <SpaceBetween size="l">
      <RangePicker range={range} change={setRange} />
      <LogBox service={service} kind="service" stream="events" title="Event log" range={range} info />
      <OperationsTable service={service} title="Deployment logs" noun="deployment log" nouns="deployment logs" deployments range={range} />
      <LogBox
        service={service} kind="application" {...(instance ? { stream: instance } : {})} title="Application logs" range={range}
        choice={<InstanceSelect service={service} instance={instance} choose={setInstance} />}
      />
    </SpaceBetween>
  );
}

interface BoxProps {
  service: Service;
  kind: LogKind;
  stream?: string;
  title: string;
  range: Range;
  info?: boolean;
  /** Chooses among several logs. */
  choice?: React.ReactNode;
}

/** The latest lines of a log, with the ways to all of it. */
function LogBox({ service, kind, stream, title, range, info, choice }: BoxProps) {
  const navigate = useNavigate();
  const { download, isPending } = useDownload();
  const log = logOf(service, kind, stream);
  return (
    <Container
      header={
        <Header
          variant="h2"
          {...(info ? { info: <InfoLink help={help} about="logs" /> } : {})}
          actions={
            <SpaceBetween direction="horizontal" size="xs">
              {choice}
              <Button ariaLabel={`View full log: ${title}`} onClick={() => { void navigate(logPath(service, kind, stream)); }}>View full log</Button>
              <Button iconName="download" ariaLabel={`Download: ${title}`} loading={isPending} onClick={() => { download(log, range); }}>Download</Button>
            </SpaceBetween>
          }
        >
          {title}
        </Header>
      }
    >
      <Tail log={log} range={range} />
    </Container>
  );
}

function InstanceSelect({ service, instance, choose }: { service: Service; instance: string; choose: (stream: string) => void }) {
  const { data: streams = [] } = useStreams(service, 'application');
  const options = [{ value: '', label: 'All instances' }, ...streams.map((stream) => ({ value: stream, label: `Instance ${instanceOf(stream)}` }))];
  return (
    <Select
      selectedOption={options.find((option) => option.value === instance) ?? null} options={options} ariaLabel="Instance" expandToViewport
      filteringType={streams.length > 10 ? 'auto' : 'none'} onChange={({ detail }) => { choose(detail.selectedOption.value ?? ''); }}
    />
  );
}
