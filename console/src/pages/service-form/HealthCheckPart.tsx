import ColumnLayout from '@cloudscape-design/components/column-layout';
import FormField from '@cloudscape-design/components/form-field';
import Input from '@cloudscape-design/components/input';
import RadioGroup from '@cloudscape-design/components/radio-group';
import SpaceBetween from '@cloudscape-design/components/space-between';

import type { HealthCheck } from './form';
import type { PartProps } from './part';

/** How instances are checked. The form starts with the console's own values, which are not the API's defaults. */
export function HealthCheckPart({ form, change, faults }: PartProps) {
  const set = (values: Partial<HealthCheck>) => { change({ health: { ...form.health, ...values } }); };
  return (
    <SpaceBetween size="l">
      <FormField label="Protocol" description="TCP asks whether the port accepts a connection; HTTP whether a path answers with a status from 200 to 399.">
        <RadioGroup
          value={form.health.protocol}
          onChange={({ detail }) => { set({ protocol: detail.value === 'HTTP' ? 'HTTP' : 'TCP' }); }}
          items={[{ value: 'TCP', label: 'TCP' }, { value: 'HTTP', label: 'HTTP' }]}
        />
      </FormField>
      {form.health.protocol === 'HTTP' && (
        <FormField label="Path" errorText={faults['health.path']}>
          <Input value={form.health.path} onChange={({ detail }) => { set({ path: detail.value }); }} />
        </FormField>
      )}
      <ColumnLayout columns={2}>
        {numbers.map(({ name, label, description, range }) => (
          <FormField key={name} label={label} description={description} constraintText={range} errorText={faults[`health.${name}`]}>
            <Input type="number" inputMode="numeric" value={form.health[name]} onChange={({ detail }) => { set({ [name]: detail.value }); }} />
          </FormField>
        ))}
      </ColumnLayout>
    </SpaceBetween>
  );
}

const numbers: readonly { name: 'timeout' | 'interval' | 'unhealthyThreshold' | 'healthyThreshold'; label: string; description: string; range: string }[] = [
  { name: 'timeout', label: 'Timeout', description: 'How long an answer is waited for.', range: '1 to 20 seconds' },
  { name: 'interval', label: 'Interval', description: 'Time between checks.', range: '1 to 20 seconds, not below the timeout' },
  { name: 'unhealthyThreshold', label: 'Unhealthy threshold', description: 'Failures in a row that make an instance unhealthy.', range: '1 to 20' },
  { name: 'healthyThreshold', label: 'Healthy threshold', description: 'Successes in a row that make an instance healthy.', range: '1 to 20' },
];
