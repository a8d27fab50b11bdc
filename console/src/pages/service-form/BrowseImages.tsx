import FormField from '@cloudscape-design/components/form-field';
import Select from '@cloudscape-design/components/select';
import { useState } from 'react';

import { Dialog } from '../../parts/Dialog';
import { useImageTags, useRepositories } from './lists';

interface BrowseImagesProps {
  dismiss: () => void;
  choose: (uri: string) => void;
}

/** Chooses a repository of the built-in registry, and one of its tags. */
export function BrowseImages({ dismiss, choose }: BrowseImagesProps) {
  const [repository, setRepository] = useState('');
  const [tag, setTag] = useState('');
  const [tried, setTried] = useState(false);
  const repositories = useRepositories();
  const uri = repositories.data?.find((r) => r.repositoryName === repository)?.repositoryUri ?? '';
  const options = (repositories.data ?? []).map(({ repositoryName = '' }) => ({ value: repositoryName, label: repositoryName }));
  const submit = () => {
    setTried(true);
    if (uri !== '' && tag !== '') choose(`${uri}:${tag}`);
  };
  return (
    <Dialog header="Choose a container image" submitText="Continue" submit={submit} dismiss={dismiss}>
      <FormField label="Image repository" errorText={tried && repository === '' && 'Choose a repository.'}>
        <Select
          options={options}
          selectedOption={options.find((o) => o.value === repository) ?? null}
          statusType={repositories.isPending ? 'loading' : repositories.error ? 'error' : 'finished'}
          errorText={repositories.error?.message}
          placeholder="Choose a repository"
          empty="No repositories. Push an image first."
          filteringType="auto"
          filteringAriaLabel="Find"
          onChange={({ detail }) => {
            setRepository(detail.selectedOption.value ?? '');
            setTag('');
          }}
        />
      </FormField>
      <TagSelect repository={repository} tag={tag} missing={tried && tag === ''} choose={setTag} />
    </Dialog>
  );
}

interface TagSelectProps {
  repository: string;
  tag: string;
  missing: boolean;
  choose: (tag: string) => void;
}

function TagSelect({ repository, tag, missing, choose }: TagSelectProps) {
  const { data, isPending, error } = useImageTags(repository);
  const options = (data ?? []).map((t) => ({ value: t.tag, label: t.tag, description: t.pushed ? `Pushed ${t.pushed.toLocaleString()}` : '' }));
  return (
    <FormField label="Image tag" errorText={missing && 'Choose a tag.'}>
      <Select
        disabled={repository === ''}
        options={options}
        selectedOption={options.find((o) => o.value === tag) ?? null}
        statusType={isPending ? 'loading' : error ? 'error' : 'finished'}
        errorText={error?.message}
        placeholder="Choose a tag"
        empty="No image of this repository has a tag"
        filteringType="auto"
        filteringAriaLabel="Find"
        onChange={({ detail }) => { choose(detail.selectedOption.value ?? ''); }}
      />
    </FormField>
  );
}
