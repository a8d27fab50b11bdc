import FormField from '@cloudscape-design/components/form-field';
import RadioGroup from '@cloudscape-design/components/radio-group';
import SpaceBetween from '@cloudscape-design/components/space-between';

import { IncomingTraffic } from '../networking/IncomingTraffic';
import { OutgoingTraffic } from '../networking/OutgoingTraffic';
import type { PartProps } from './part';

/** Where requests may come from, and where the application's own go. */
export function NetworkingPart({ form, change, faults }: PartProps) {
  return (
    <SpaceBetween size="l">
      <IncomingTraffic value={form.ingress} change={(ingress) => { change({ ingress }); }} fault={faults['ingress.vpcEndpointId']} />
      <OutgoingTraffic value={form.egress} change={(egress) => { change({ egress }); }} fault={faults['egress.connectorArn']} />
      <Addresses form={form} change={change} faults={faults} />
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
