import type { VpcConnector } from '@aws-sdk/client-apprunner';
import Alert from '@cloudscape-design/components/alert';
import Button from '@cloudscape-design/components/button';
import FormField from '@cloudscape-design/components/form-field';
import KeyValuePairs from '@cloudscape-design/components/key-value-pairs';
import RadioGroup from '@cloudscape-design/components/radio-group';
import Select from '@cloudscape-design/components/select';
import SpaceBetween from '@cloudscape-design/components/space-between';
import { useState } from 'react';

import type { Egress } from '../service-form/form';
import { useConnectors } from '../service-form/lists';
import { CreateConnector } from './CreateConnector';
import { loading } from './NetworkFields';

interface Props {
  value: Egress;
  change: (value: Egress) => void;
  fault: string | undefined;
}

/** The choice of where an application's own requests go. */
export function OutgoingTraffic({ value, change, fault }: Props) {
  const custom = value.type === 'VPC';
  return (
    <SpaceBetween size="m">
      <FormField label="Outgoing network traffic" description="Where the application's own requests go.">
        <RadioGroup
          value={value.type}
          items={[
            { value: 'DEFAULT', label: 'Public access', description: 'To the internet, and nothing private.' },
            { value: 'VPC', label: 'Custom VPC', description: 'Through a VPC connector.' },
          ]}
          onChange={({ detail }) => { change({ ...value, type: detail.value === 'VPC' ? 'VPC' : 'DEFAULT' }); }}
        />
      </FormField>
      {custom && <ConnectorChoice arn={value.connectorArn} fault={fault} choose={(connectorArn) => { change({ ...value, connectorArn }); }} />}
    </SpaceBetween>
  );
}

function ConnectorChoice({ arn, fault, choose }: { arn: string; fault: string | undefined; choose: (arn: string) => void }) {
  const [adding, setAdding] = useState(false);
  const query = useConnectors(true);
  const options = (query.data ?? []).map((c) => ({ value: c.VpcConnectorArn ?? '', label: c.VpcConnectorName ?? '' }));
  const chosen = query.data?.find((c) => c.VpcConnectorArn === arn);
  return (
    <SpaceBetween size="m">
      <Alert type="info">
        All of the application&apos;s requests go through the VPC, over IPv4. The internet is reached only where the VPC has a NAT gateway, and AWS APIs only
        through endpoints of the VPC. Incoming requests, pulling images, logs and secrets do not go through it.
      </Alert>
      <FormField label="VPC connector" errorText={fault} secondaryControl={<Button formAction="none" onClick={() => { setAdding(true); }}>Add new</Button>} stretch>
        <Select
          options={options} selectedOption={options.find((o) => o.value === arn) ?? (arn ? { value: arn } : null)} placeholder="Choose a VPC connector" empty="No VPC connectors" filteringType="auto" filteringAriaLabel="Find"
          {...loading(query)} onChange={({ detail }) => { choose(detail.selectedOption.value ?? ''); }}
        />
      </FormField>
      {chosen && <ConnectorDetails connector={chosen} />}
      {adding && <CreateConnector dismiss={() => { setAdding(false); }} made={(connector) => { setAdding(false); choose(connector.VpcConnectorArn ?? ''); }} />}
    </SpaceBetween>
  );
}

function ConnectorDetails({ connector }: { connector: VpcConnector }) {
  return (
    <KeyValuePairs
      columns={2}
      items={[
        { label: 'Subnets', value: connector.Subnets?.join(', ') ?? '-' },
        { label: 'Security groups', value: connector.SecurityGroups?.join(', ') ?? '-' },
      ]}
    />
  );
}
