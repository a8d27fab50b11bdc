import Button from '@cloudscape-design/components/button';
import FormField from '@cloudscape-design/components/form-field';
import Input from '@cloudscape-design/components/input';
import SpaceBetween from '@cloudscape-design/components/space-between';
import Tiles from '@cloudscape-design/components/tiles';
import { useState } from 'react';

import { BrowseImages } from './BrowseImages';
import type { PartProps } from './part';

/** Which image: of the built-in registry, typed or looked up, or of the public one. */
export function ImagePart({ form, change, faults }: PartProps) {
  const [browsing, setBrowsing] = useState(false);
  const isPrivate = form.provider === 'ECR';
  return (
    <SpaceBetween size="l">
      <FormField label="Provider" stretch>
        <Tiles
          value={form.provider}
          items={[
            { value: 'ECR', label: 'Amazon ECR', description: 'A private image, of the built-in registry.' },
            { value: 'ECR_PUBLIC', label: 'Amazon ECR Public', description: 'An image that everybody can pull.' },
          ]}
          onChange={({ detail }) => { change({ provider: detail.value === 'ECR' ? 'ECR' : 'ECR_PUBLIC' }); }}
        />
      </FormField>
      <FormField
        label="Container image URI"
        description="The image as its registry names it. Without a tag it is latest."
        errorText={faults['imageUri']}
        secondaryControl={isPrivate && <Button formAction="none" onClick={() => { setBrowsing(true); }}>Browse</Button>}
        stretch
      >
        <Input
          value={form.imageUri}
          spellcheck={false}
          placeholder={isPrivate ? 'account-id.dkr.ecr.region.amazonaws.com/repository:tag' : 'public.ecr.aws/alias/repository:tag'}
          onChange={({ detail }) => { change({ imageUri: detail.value.trim() }); }}
        />
      </FormField>
      {browsing && (
        <BrowseImages
          dismiss={() => { setBrowsing(false); }}
          choose={(imageUri) => {
            change({ imageUri });
            setBrowsing(false);
          }}
        />
      )}
    </SpaceBetween>
  );
}
