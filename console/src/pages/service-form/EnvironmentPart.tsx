import AttributeEditor from '@cloudscape-design/components/attribute-editor';
import FormField from '@cloudscape-design/components/form-field';
import Input from '@cloudscape-design/components/input';
import Select from '@cloudscape-design/components/select';

import type { Variable } from './form';
import type { PartProps } from './part';

const sources = [
  { value: 'plain', label: 'Plain text' },
  { value: 'secret', label: 'Reference to a secret' },
];

/** Environment variables, each a plain value or a reference to where a secret is kept. */
export function EnvironmentPart({ form, change, faults }: PartProps) {
  const set = (at: number, values: Partial<Variable>) => {
    change({ variables: form.variables.map((v, i) => (i === at ? { ...v, ...values } : v)) });
  };
  return (
    <FormField
      label={<>Environment variables <i>- optional</i></>}
      description="Plain values can be read by everybody who may describe the service. References name a Secrets Manager secret or an SSM parameter, and need an instance role."
      errorText={faults['variables']}
      stretch
    >
      <AttributeEditor
        items={form.variables}
        empty="No environment variables"
        gridLayout={[{ breakpoint: 'xxs', rows: [[2, 3, 4]], removeButton: { width: 'auto' } }, { rows: [[1], [1], [1]], removeButton: { ownRow: true } }]}
        addButtonText="Add environment variable"
        removeButtonText="Remove"
        removeButtonAriaLabel={(v) => `Remove ${v.name || 'variable'}`}
        onAddButtonClick={() => { change({ variables: [...form.variables, { name: '', value: '', secret: false }] }); }}
        onRemoveButtonClick={({ detail }) => { change({ variables: form.variables.filter((_, i) => i !== detail.itemIndex) }); }}
        definition={[
          {
            label: 'Source',
            control: (v, i) => (
              <Select
                options={sources}
                selectedOption={sources[v.secret ? 1 : 0] ?? null}
                onChange={({ detail }) => { set(i, { secret: detail.selectedOption.value === 'secret' }); }}
              />
            ),
          },
          {
            label: 'Name',
            errorText: (_, i) => faults[`variables.${String(i)}.name`],
            control: (v, i) => <Input value={v.name} spellcheck={false} onChange={({ detail }) => { set(i, { name: detail.value }); }} />,
          },
          {
            label: 'Value',
            errorText: (_, i) => faults[`variables.${String(i)}.value`],
            control: (v, i) => (
              <Input
                value={v.value}
                spellcheck={false}
                placeholder={v.secret ? 'ARN of a secret, or name of a parameter' : ''}
                onChange={({ detail }) => { set(i, { value: detail.value }); }}
              />
            ),
          },
        ]}
      />
    </FormField>
  );
}
