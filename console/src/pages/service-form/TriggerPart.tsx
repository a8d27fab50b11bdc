import FormField from '@cloudscape-design/components/form-field';
import Tiles from '@cloudscape-design/components/tiles';

import { mayBeAutomatic, type ServiceForm } from './form';
import { readPrivateImage } from './limits';
import type { PartProps } from './part';

/** When a new version is deployed; automatic is not to be had for public images and those of other accounts. */
export function TriggerPart({ form, change, faults, account }: PartProps & { account: string }) {
  const possible = mayBeAutomatic(form, readPrivateImage(form.imageUri)?.account, account);
  const each = form.kind === 'image' ? 'Each push of the image tag deploys a new version.' : 'Each push to the branch deploys a new version.';
  return (
    <FormField label="Deployment trigger" errorText={faults['automatic']} stretch>
      <Tiles
        value={form.automatic && possible ? 'automatic' : 'manual'}
        items={[
          { value: 'manual', label: 'Manual', description: 'You start each deployment, here or with the API.' },
          { value: 'automatic', label: 'Automatic', description: possible ? each : whyNot(form), disabled: !possible },
        ]}
        onChange={({ detail }) => { change({ automatic: detail.value === 'automatic' }); }}
      />
    </FormField>
  );
}

function whyNot(form: ServiceForm): string {
  if (form.provider === 'ECR_PUBLIC') return 'Not available for public images.';
  return form.access.use === 'caller' ? 'Not available without an access role.' : 'Not available for images of another account.';
}
