import type { AutoScalingConfigurationSummary } from '@aws-sdk/client-apprunner';
import ColumnLayout from '@cloudscape-design/components/column-layout';
import FormField from '@cloudscape-design/components/form-field';
import Input from '@cloudscape-design/components/input';
import RadioGroup from '@cloudscape-design/components/radio-group';
import Select from '@cloudscape-design/components/select';
import SpaceBetween from '@cloudscape-design/components/space-between';

import type { Scaling } from './form';
import { useScalings } from './lists';
import type { PartProps } from './part';

/** The default configuration, an existing one, or a new one that is made with the service as revision 1. */
export function AutoScalingPart({ form, change, faults, ofService }: PartProps & { /** An existing service has one and keeps it. */ ofService?: boolean }) {
  const set = (values: Partial<Scaling>) => { change({ scaling: { ...form.scaling, ...values } }); };
  const choices = [
    { value: 'default', label: 'Default configuration', description: 'The one that the account has set as its default.' },
    { value: 'existing', label: 'Existing configuration', description: 'A revision that was made before.' },
    { value: 'new', label: 'New custom configuration', description: 'Made with this service, as revision 1 of its name.' },
  ];
  return (
    <SpaceBetween size="l">
      <RadioGroup
        ariaLabel="Auto scaling configuration"
        value={form.scaling.use}
        items={choices.filter((c) => !ofService || c.value !== 'default')}
        onChange={({ detail }) => { set({ use: detail.value as Scaling['use'] }); }}
      />
      {form.scaling.use === 'existing' && <ExistingScaling arn={form.scaling.arn} fault={faults['scaling.arn']} choose={(arn) => { set({ arn }); }} />}
      {form.scaling.use === 'new' && <NewScaling scaling={form.scaling} faults={faults} set={set} />}
    </SpaceBetween>
  );
}

function optionOf(c: AutoScalingConfigurationSummary) {
  return {
    value: c.AutoScalingConfigurationArn ?? '',
    label: `${c.AutoScalingConfigurationName ?? ''}, revision ${String(c.AutoScalingConfigurationRevision ?? 1)}`,
    ...(c.IsDefault ? { labelTag: 'Default' } : {}),
  };
}

function ExistingScaling({ arn, fault, choose }: { arn: string; fault: string | undefined; choose: (arn: string) => void }) {
  const { data, isPending, error } = useScalings();
  const options = (data ?? []).map(optionOf);
  return (
    <FormField label="Configuration" errorText={fault}>
      <Select
        options={options}
        selectedOption={options.find((o) => o.value === arn) ?? null}
        statusType={isPending ? 'loading' : error ? 'error' : 'finished'}
        errorText={error?.message}
        placeholder="Choose a configuration"
        empty="No configurations"
        filteringType="auto"
        filteringAriaLabel="Find"
        onChange={({ detail }) => { choose(detail.selectedOption.value ?? ''); }}
      />
    </FormField>
  );
}

const numbers: readonly { name: 'maxConcurrency' | 'minSize' | 'maxSize'; label: string; description: string; range: string }[] = [
  { name: 'maxConcurrency', label: 'Concurrency', description: 'Requests an instance takes at once.', range: '1 to 200' },
  { name: 'minSize', label: 'Minimum size', description: 'Instances that are always there.', range: '1 to 25' },
  { name: 'maxSize', label: 'Maximum size', description: 'Most instances that serve.', range: 'From 1; usually up to 25' },
];

interface NewScalingProps {
  scaling: Scaling;
  faults: PartProps['faults'];
  set: (values: Partial<Scaling>) => void;
  /** The name is that of a configuration that is there already. */
  fixedName?: boolean;
}

/** The fields of a configuration that is made. */
export function NewScaling({ scaling, faults, set, fixedName }: NewScalingProps) {
  return (
    <SpaceBetween size="l">
      <FormField label="Configuration name" constraintText={'4 to 32 letters, digits, "-" and "_".'} errorText={faults['scaling.name']}>
        <Input value={scaling.name} disabled={fixedName ?? false} spellcheck={false} onChange={({ detail }) => { set({ name: detail.value }); }} />
      </FormField>
      <ColumnLayout columns={3}>
        {numbers.map(({ name, label, description, range }) => (
          <FormField key={name} label={label} description={description} constraintText={range} errorText={faults[`scaling.${name}`]}>
            <Input type="number" inputMode="numeric" value={scaling[name]} onChange={({ detail }) => { set({ [name]: detail.value }); }} />
          </FormField>
        ))}
      </ColumnLayout>
    </SpaceBetween>
  );
}
