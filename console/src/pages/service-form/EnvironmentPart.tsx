import AttributeEditor from '@cloudscape-design/components/attribute-editor';
import FormField from '@cloudscape-design/components/form-field';
import Input from '@cloudscape-design/components/input';
import Select from '@cloudscape-design/components/select';

import type { Variable, VariableSource } from './form';
import { sourceLabels } from './limits';
import type { PartProps } from './part';

const sources = (['plain', 'secret', 'parameter'] as const).map((value) => ({ value, label: sourceLabels[value] }));

const placeholders: Readonly<Record<VariableSource, string>> = {
  plain: '',
  secret: 'ARN of a secret, perhaps with :json-key:stage:version',
  parameter: 'Name or ARN of a parameter',
};

/** Environment variables, each a plain value or a reference to where the value is kept. */
export function EnvironmentPart({ form, change, faults }: PartProps) {
  const set = (at: number, values: Partial<Variable>) => {
    change({ variables: form.variables.map((v, i) => (i === at ? { ...v, ...values } : v)) });
  };
  return (
    <FormField
      label={<>Environment variables <i>- optional</i></>}
      description="Plain values can be read by everybody who may describe the service. Values of secrets and parameters are read at each deployment, with the instance role; only their references are shown."
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
        onAddButtonClick={() => { change({ variables: [...form.variables, { name: '', value: '', source: 'plain' }] }); }}
        onRemoveButtonClick={({ detail }) => { change({ variables: form.variables.filter((_, i) => i !== detail.itemIndex) }); }}
        definition={[
          {
            label: 'Source',
            control: (v, i) => (
              <Select
                options={sources}
                selectedOption={sources.find((s) => s.value === v.source) ?? null}
                onChange={({ detail }) => { set(i, { source: detail.selectedOption.value as VariableSource }); }}
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
                placeholder={placeholders[v.source]}
                onChange={({ detail }) => { set(i, { value: detail.value }); }}
              />
            ),
          },
        ]}
      />
    </FormField>
  );
}
