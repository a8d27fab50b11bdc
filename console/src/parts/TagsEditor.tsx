import AttributeEditor from '@cloudscape-design/components/attribute-editor';
import Input from '@cloudscape-design/components/input';

/** One tag. */
export interface Label {
  key: string;
  value: string;
}

interface Props {
  tags: readonly Label[];
  set: (tags: Label[]) => void;
  most: number;
  /** What is wrong with a part of the tag at a place. */
  faultAt?: (at: number, part: 'key' | 'value') => string | undefined;
}

/** Rows of keys and values. */
export function TagsEditor({ tags, set, most, faultAt }: Props) {
  const change = (at: number, values: Partial<Label>) => { set(tags.map((t, i) => (i === at ? { ...t, ...values } : t))); };
  return (
    <AttributeEditor
      items={tags}
      empty="No tags"
      addButtonText="Add tag"
      removeButtonText="Remove"
      removeButtonAriaLabel={(t) => `Remove tag ${t.key}`}
      disableAddButton={tags.length >= most}
      onAddButtonClick={() => { set([...tags, { key: '', value: '' }]); }}
      onRemoveButtonClick={({ detail }) => { set(tags.filter((_, i) => i !== detail.itemIndex)); }}
      definition={[
        { label: 'Key', errorText: (_, i) => faultAt?.(i, 'key'), control: (t, i) => <Input value={t.key} autoComplete={false} onChange={({ detail }) => { change(i, { key: detail.value }); }} /> },
        { label: <>Value <i>- optional</i></>, errorText: (_, i) => faultAt?.(i, 'value'), control: (t, i) => <Input value={t.value} autoComplete={false} onChange={({ detail }) => { change(i, { value: detail.value }); }} /> },
      ]}
    />
  );
}
