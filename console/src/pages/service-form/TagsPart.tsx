import AttributeEditor from '@cloudscape-design/components/attribute-editor';
import FormField from '@cloudscape-design/components/form-field';
import Input from '@cloudscape-design/components/input';

import type { Label } from './form';
import { maxTags } from './limits';
import type { PartProps } from './part';

/** The tags of the service. */
export function TagsPart({ form, change, faults }: PartProps) {
  const set = (at: number, values: Partial<Label>) => {
    change({ tags: form.tags.map((t, i) => (i === at ? { ...t, ...values } : t)) });
  };
  return (
    <FormField description={`Up to ${String(maxTags)} key and value pairs, to search, group and limit access.`} errorText={faults['tags']} stretch>
      <AttributeEditor
        items={form.tags}
        empty="No tags"
        addButtonText="Add tag"
        removeButtonText="Remove"
        removeButtonAriaLabel={(t) => `Remove tag ${t.key}`}
        disableAddButton={form.tags.length >= maxTags}
        onAddButtonClick={() => { change({ tags: [...form.tags, { key: '', value: '' }] }); }}
        onRemoveButtonClick={({ detail }) => { change({ tags: form.tags.filter((_, i) => i !== detail.itemIndex) }); }}
        definition={[
          {
            label: 'Key',
            errorText: (_, i) => faults[`tags.${String(i)}.key`],
            control: (t, i) => <Input value={t.key} onChange={({ detail }) => { set(i, { key: detail.value }); }} />,
          },
          {
            label: <>Value <i>- optional</i></>,
            errorText: (_, i) => faults[`tags.${String(i)}.value`],
            control: (t, i) => <Input value={t.value} onChange={({ detail }) => { set(i, { value: detail.value }); }} />,
          },
        ]}
      />
    </FormField>
  );
}
