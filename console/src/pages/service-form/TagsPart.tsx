import FormField from '@cloudscape-design/components/form-field';

import { TagsEditor } from '../../parts/TagsEditor';
import { maxTags } from './limits';
import type { PartProps } from './part';

/** The tags of the service. */
export function TagsPart({ form, change, faults }: PartProps) {
  return (
    <FormField description={`Up to ${String(maxTags)} key and value pairs, to search, group and limit access.`} errorText={faults['tags']} stretch>
      <TagsEditor tags={form.tags} set={(tags) => { change({ tags }); }} most={maxTags} faultAt={(at, part) => faults[`tags.${String(at)}.${part}`]} />
    </FormField>
  );
}
