import Button from '@cloudscape-design/components/button';
import FormField from '@cloudscape-design/components/form-field';
import RadioGroup from '@cloudscape-design/components/radio-group';
import Select from '@cloudscape-design/components/select';
import SpaceBetween from '@cloudscape-design/components/space-between';
import { useState } from 'react';

import type { Ingress } from '../service-form/form';
import { CreateEndpoint } from './CreateEndpoint';
import { type Endpoint, nameOf, useEndpoints } from './lists';
import { loading } from './NetworkFields';

interface Props {
  value: Ingress;
  change: (value: Ingress) => void;
  fault: string | undefined;
}

/** The choice of where requests may come from: everywhere, or a VPC through an interface endpoint. */
export function IncomingTraffic({ value, change, fault }: Props) {
  return (
    <SpaceBetween size="m">
      <FormField label="Incoming network traffic" description="Where requests to the service may come from.">
        <RadioGroup
          value={value.public ? 'public' : 'private'}
          items={[
            { value: 'public', label: 'Public endpoint', description: 'From everywhere.' },
            { value: 'private', label: 'Private endpoint', description: 'From inside a VPC only, through a VPC interface endpoint.' },
          ]}
          onChange={({ detail }) => { change({ ...value, public: detail.value === 'public' }); }}
        />
      </FormField>
      {!value.public && <EndpointChoice value={value} change={change} fault={fault} />}
    </SpaceBetween>
  );
}

function optionOf(e: Endpoint) {
  return { value: e.VpcEndpointId ?? '', label: nameOf(e.Tags, e.VpcEndpointId), description: `${e.VpcEndpointId ?? ''} in ${e.VpcId ?? ''}`, labelTag: e.State ?? '' };
}

function EndpointChoice({ value, change, fault }: Props) {
  const [adding, setAdding] = useState(false);
  const query = useEndpoints();
  const options = (query.data ?? []).filter((e) => e.State?.toLowerCase() !== 'deleting').map(optionOf);
  const choose = (id: string, vpcId: string) => { change({ ...value, vpcEndpointId: id, vpcId }); };
  return (
    <SpaceBetween size="m">
      <FormField
        label="VPC interface endpoint" description="The service is joined to it as soon as it runs." errorText={fault} stretch
        secondaryControl={<Button formAction="none" onClick={() => { setAdding(true); }}>Create new endpoint</Button>}
      >
        <Select
          options={options} selectedOption={options.find((o) => o.value === value.vpcEndpointId) ?? (value.vpcEndpointId ? { value: value.vpcEndpointId } : null)}
          placeholder="Choose an endpoint" empty="No VPC interface endpoints" filteringType="auto" filteringAriaLabel="Find" {...loading(query)}
          onChange={({ detail: { selectedOption } }) => {
            choose(selectedOption.value ?? '', query.data?.find((e) => e.VpcEndpointId === selectedOption.value)?.VpcId ?? '');
          }}
        />
      </FormField>
      {adding && (
        <CreateEndpoint
          dismiss={() => { setAdding(false); }}
          made={(endpoint) => { setAdding(false); choose(endpoint.VpcEndpointId ?? '', endpoint.VpcId ?? ''); }}
        />
      )}
    </SpaceBetween>
  );
}
