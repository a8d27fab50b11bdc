import FormField from '@cloudscape-design/components/form-field';
import RadioGroup from '@cloudscape-design/components/radio-group';
import Select from '@cloudscape-design/components/select';
import SpaceBetween from '@cloudscape-design/components/space-between';

import type { Egress } from './form';
import { useConnectors } from './lists';
import type { PartProps } from './part';
import { resourceName } from './Summary';

/** Where requests may come from, and where the application's own go. */
export function NetworkingPart({ form, change, faults }: PartProps & { serviceArn?: string }) {
  return (
    <SpaceBetween size="l">
      <Outgoing form={form} change={change} faults={faults} />
      <Addresses form={form} change={change} faults={faults} />
    </SpaceBetween>
  );
}

function Outgoing({ form, change, faults }: PartProps) {
  const set = (values: Partial<Egress>) => { change({ egress: { ...form.egress, ...values } }); };
  const custom = form.egress.type === 'VPC';
  const { data, isPending, error } = useConnectors(custom);
  const options = (data ?? []).map((c) => ({ value: c.VpcConnectorArn ?? '', label: c.VpcConnectorName ?? resourceName(c.VpcConnectorArn ?? '') }));
  return (
    <SpaceBetween size="m">
      <FormField label="Outgoing network traffic" description="Where the application's own requests go.">
        <RadioGroup
          value={form.egress.type}
          items={[
            { value: 'DEFAULT', label: 'Public access', description: 'To everywhere.' },
            { value: 'VPC', label: 'Custom VPC', description: 'Through a VPC connector.' },
          ]}
          onChange={({ detail }) => { set({ type: detail.value === 'VPC' ? 'VPC' : 'DEFAULT' }); }}
        />
      </FormField>
      {custom && (
        <FormField label="VPC connector" errorText={faults['egress.connectorArn']}>
          <Select
            options={options}
            selectedOption={options.find((o) => o.value === form.egress.connectorArn) ?? null}
            statusType={isPending ? 'loading' : error ? 'error' : 'finished'}
            errorText={error?.message}
            placeholder="Choose a VPC connector"
            empty="No VPC connectors"
            onChange={({ detail }) => { set({ connectorArn: detail.selectedOption.value ?? '' }); }}
          />
        </FormField>
      )}
    </SpaceBetween>
  );
}

function Addresses({ form, change }: PartProps) {
  return (
    <FormField label="IP addresses" description="Which addresses the default domain has.">
      <RadioGroup
        value={form.ingress.addresses}
        items={[{ value: 'IPV4', label: 'IPv4' }, { value: 'DUAL_STACK', label: 'Dual stack', description: 'IPv4 and IPv6.' }]}
        onChange={({ detail }) => { change({ ingress: { ...form.ingress, addresses: detail.value === 'DUAL_STACK' ? 'DUAL_STACK' : 'IPV4' } }); }}
      />
    </FormField>
  );
}
