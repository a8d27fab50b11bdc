import type { CustomDomain, VpcDNSTarget } from '@aws-sdk/client-apprunner';
import Alert from '@cloudscape-design/components/alert';
import Box from '@cloudscape-design/components/box';
import Button from '@cloudscape-design/components/button';
import Container from '@cloudscape-design/components/container';
import CopyToClipboard from '@cloudscape-design/components/copy-to-clipboard';
import Header from '@cloudscape-design/components/header';
import SpaceBetween from '@cloudscape-design/components/space-between';
import StatusIndicator from '@cloudscape-design/components/status-indicator';
import Table, { type TableProps } from '@cloudscape-design/components/table';

import { type DNSRecord, type Domains, domainStatus, recordsOf } from './domains';

interface Props {
  /** The domain as it is; undefined for the moment before it is listed, and after it is gone. */
  domain: CustomDomain | undefined;
  name: string;
  domains: Domains | undefined;
  close: () => void;
}

/** The records that the owner of a domain has to make, ready to copy. */
export function ConfigureDNS({ domain, name, domains, close }: Props) {
  const shown = domain ? domainStatus(domain) : domainStatus({ DomainName: name } as CustomDomain);
  const waits = !domain?.CertificateValidationRecords?.length && shown.type === 'in-progress';
  return (
    <Container
      header={
        <Header variant="h2" actions={<Button variant="primary" onClick={close}>Close</Button>} description="Add these records to the DNS of your domain.">
          Configure DNS: {name}
        </Header>
      }
    >
      <SpaceBetween size="l">
        <div aria-live="polite"><StatusIndicator type={shown.type}>{shown.text}</StatusIndicator></div>
        {domain && (
          <Table
            variant="embedded"
            items={recordsOf(domain, domains?.target ?? '')}
            columnDefinitions={columns}
            trackBy={(r) => r.purpose + r.name}
            wrapLines
            ariaLabels={{ tableLabel: `DNS records for ${name}` }}
          />
        )}
        {waits && <StatusIndicator type="loading">The certificate is being asked for; its validation records follow.</StatusIndicator>}
        <Targets list={domains?.vpcTargets ?? []} />
        <Alert type="info">
          Validation usually takes minutes, but DNS may need 24 to 48 hours. Leave the validation records in place: the certificate is renewed
          with them. A root domain cannot have a CNAME record for the DNS target: use an ALIAS or ANAME record of your DNS provider.
        </Alert>
      </SpaceBetween>
    </Container>
  );
}

const copied = (what: string, text: string) => (
  <CopyToClipboard variant="inline" textToCopy={text} copyButtonAriaLabel={`Copy the ${what} ${text}`} copySuccessText="Copied" copyErrorText="It could not be copied" />
);

const columns: TableProps.ColumnDefinition<DNSRecord>[] = [
  { id: 'purpose', header: 'Purpose', isRowHeader: true, cell: (r) => r.purpose },
  { id: 'name', header: 'Record name', minWidth: 220, cell: (r) => copied('name', r.name) },
  { id: 'type', header: 'Record type', minWidth: 110, cell: (r) => r.type },
  { id: 'value', header: 'Value', cell: (r) => copied('value', r.value) },
  { id: 'status', header: 'Status', minWidth: 190, cell: (r) => (r.status ? <StatusIndicator type={r.status.type}>{r.status.text}</StatusIndicator> : '–') },
];

function Targets({ list }: { list: readonly VpcDNSTarget[] }) {
  if (list.length === 0) return null;
  return (
    <Box>
      Inside {list.map((t) => t.VpcId).join(', ')} the service is reached under {list.map((t) => t.DomainName).join(', ')}; there, the DNS target leads to the private addresses.
    </Box>
  );
}
