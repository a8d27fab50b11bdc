import Container from '@cloudscape-design/components/container';
import FormField from '@cloudscape-design/components/form-field';
import Header from '@cloudscape-design/components/header';
import SpaceBetween from '@cloudscape-design/components/space-between';
import Tiles from '@cloudscape-design/components/tiles';

import { AccessRolePart } from './AccessRolePart';
import { CodePart } from './CodePart';
import { ImagePart } from './ImagePart';
import type { PartProps } from './part';
import { TriggerPart } from './TriggerPart';

interface SourceFieldsProps extends PartProps {
  /** The account that the service belongs to. */
  account: string;
  /** An existing service keeps the type of its source, and has a connection or a role once it has one. */
  fixed?: { hasConnection: boolean; hasRole: boolean };
}

/** Source and deployment: the first step of the wizard, and the first section of the Configuration tab. */
export function SourceFields({ form, change, faults, account, fixed }: SourceFieldsProps) {
  const part = { form, change, faults };
  return (
    <SpaceBetween size="l">
      <Container header={<Header variant="h2">Source</Header>}>
        <SpaceBetween size="l">
          {fixed ? null : <KindField {...part} />}
          {form.kind === 'image' ? <ImagePart {...part} /> : <CodePart {...part} mustConnect={fixed?.hasConnection ?? false} />}
        </SpaceBetween>
      </Container>
      <Container header={<Header variant="h2">Deployment settings</Header>}>
        <SpaceBetween size="l">
          <TriggerPart {...part} account={account} />
          {form.kind === 'image' && form.provider === 'ECR' && <AccessRolePart {...part} mustHaveRole={fixed?.hasRole ?? false} />}
        </SpaceBetween>
      </Container>
    </SpaceBetween>
  );
}

function KindField({ form, change }: PartProps) {
  return (
    <FormField label="Repository type" stretch>
      <Tiles
        value={form.kind}
        items={[
          { value: 'image', label: 'Container registry', description: 'Deploy an image that is built already.' },
          { value: 'code', label: 'Source code repository', description: 'Build and deploy the code of a git repository.' },
        ]}
        onChange={({ detail }) => { change({ kind: detail.value === 'code' ? 'code' : 'image' }); }}
      />
    </FormField>
  );
}
