import type { Service } from '@aws-sdk/client-apprunner';
import Container from '@cloudscape-design/components/container';
import CopyToClipboard from '@cloudscape-design/components/copy-to-clipboard';
import Header from '@cloudscape-design/components/header';
import KeyValuePairs from '@cloudscape-design/components/key-value-pairs';
import Link from '@cloudscape-design/components/link';
import Popover from '@cloudscape-design/components/popover';
import StatusIndicator from '@cloudscape-design/components/status-indicator';

import { faultOf } from '../../aws/errors';
import { DomainLink } from '../../parts/DomainLink';
import { RouteLink } from '../../parts/RouteLink';
import { serviceStatus } from '../../words/status';
import { shownFigure } from '../metrics/graph';
import { useTraffic } from '../metrics/traffic';
import { useFailures } from './queries';

/** What a service is at this moment. */
export function Overview({ service }: { service: Service }) {
  const status = serviceStatus(service.Status);
  const arn = service.ServiceArn ?? '';
  return (
    <Container header={<Header variant="h2">Service overview</Header>}>
      <KeyValuePairs
        columns={3}
        items={[
          { label: 'Status', value: <StatusIndicator type={status.type}>{status.text}</StatusIndicator> },
          { label: 'Health', value: <Health service={service} /> },
          { label: 'Requests in the last hour', value: <Traffic service={service} /> },
          { label: 'Default domain', value: <DomainLink service={service} /> },
          { label: 'Source', value: <Source service={service} /> },
          {
            label: 'Service ARN',
            value: <CopyToClipboard variant="inline" copyButtonAriaLabel="Copy the ARN" copySuccessText="The ARN is copied" copyErrorText="The ARN was not copied" textToCopy={arn} />,
          },
        ]}
      />
    </Container>
  );
}

/** Whether the instances of a service answer their health checks, from what the events log says of the last minutes. */
function Health({ service }: { service: Service }) {
  const { data: failures, error } = useFailures(service);
  if (service.Status === 'PAUSED') return <StatusIndicator type="stopped">No instances</StatusIndicator>;
  if (service.Status !== 'RUNNING') return <>–</>;
  if (error) {
    return <Popover content={`${faultOf(error).code}: ${faultOf(error).message}`}><StatusIndicator type="info">Unknown</StatusIndicator></Popover>;
  }
  if (!failures) return <StatusIndicator type="loading">Loading</StatusIndicator>;
  if (failures.length === 0) return <StatusIndicator type="success">Healthy</StatusIndicator>;
  const text = failures.length === 1 ? '1 instance failed' : `${String(failures.length)} instances failed`;
  return (
    <Popover header="In the last ten minutes" content={failures.at(-1)} triggerType="text">
      <StatusIndicator type="warning">{text}</StatusIndicator>
    </Popover>
  );
}

/** How many requests a service had of late, and how many of them it failed to answer. */
function Traffic({ service }: { service: Service }) {
  const { data, error } = useTraffic(service);
  if (service.Status !== 'RUNNING') return <>–</>;
  if (error) {
    return <Popover content={`${faultOf(error).code}: ${faultOf(error).message}`}><StatusIndicator type="info">Unknown</StatusIndicator></Popover>;
  }
  if (!data) return <StatusIndicator type="loading">Loading</StatusIndicator>;
  const metrics = `/services/${encodeURIComponent(service.ServiceArn ?? '')}/metrics`;
  return (
    <>
      <RouteLink to={metrics}>{shownFigure(data.requests, '')}</RouteLink>
      {data.failed > 0 && <> · <StatusIndicator type="warning">{shownFigure(data.failed, '')} answered with 5xx</StatusIndicator></>}
    </>
  );
}

/** Where a service comes from. */
function Source({ service }: { service: Service }) {
  const image = service.SourceConfiguration?.ImageRepository?.ImageIdentifier;
  const { RepositoryUrl: url = '', SourceCodeVersion: version } = service.SourceConfiguration?.CodeRepository ?? {};
  if (image) return <>{image}</>;
  const at = `${url}${version?.Value ? ` (${version.Value})` : ''}`;
  return /^https?:/.test(url) ? <Link external href={url}>{at}</Link> : <>{at}</>;
}
