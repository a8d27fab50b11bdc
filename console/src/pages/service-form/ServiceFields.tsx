import Container from '@cloudscape-design/components/container';
import ExpandableSection from '@cloudscape-design/components/expandable-section';
import FormField from '@cloudscape-design/components/form-field';
import Header from '@cloudscape-design/components/header';
import Input from '@cloudscape-design/components/input';
import SpaceBetween from '@cloudscape-design/components/space-between';
import { useState, type ReactNode } from 'react';

import { AutoScalingPart } from './AutoScalingPart';
import { PortField } from './BuildPart';
import { EnvironmentPart } from './EnvironmentPart';
import { ExtrasPart } from './ExtrasPart';
import { settingsAreHere } from './form';
import { HealthCheckPart } from './HealthCheckPart';
import { NetworkingPart } from './NetworkingPart';
import type { PartProps } from './part';
import { SecurityPart } from './SecurityPart';
import { SizePart } from './SizePart';
import { TagsPart } from './TagsPart';

interface ServiceFieldsProps extends PartProps {
  /** An existing service keeps its name and key. */
  fixed?: { hasRole: boolean };
}

/** Everything of the service beside its source and build: the third step of the wizard, and the third section of the tab. */
export function ServiceFields({ form, change, faults, fixed }: ServiceFieldsProps) {
  const part = { form, change, faults };
  return (
    <SpaceBetween size="l">
      <Container header={<Header variant="h2">Service settings</Header>}>
        <SpaceBetween size="l">
          {fixed ? null : <NameField {...part} />}
          <SizePart {...part} />
          {settingsAreHere(form) && <EnvironmentPart {...part} />}
          {form.kind === 'image' && <PortField {...part} />}
          {form.kind === 'image' && <StartCommandField {...part} />}
        </SpaceBetween>
      </Container>
      <Foldable title="Auto scaling" description="How many instances serve, by how many requests there are at once." faults={faults} of={['scaling']}>
        <AutoScalingPart {...part} ofService={fixed !== undefined} />
      </Foldable>
      <Foldable title="Health check" description="When an instance counts as healthy." faults={faults} of={['health']}>
        <HealthCheckPart {...part} />
      </Foldable>
      <Foldable title="Security" description="Instance role, encryption key and web ACL." faults={faults} of={['instanceRoleArn', 'kmsKey', 'webAclArn']}>
        <SecurityPart {...part} {...(fixed ? { fixed } : {})} />
      </Foldable>
      <Foldable title="Networking" description="Where requests may come from, and where the application's own go." faults={faults} of={['egress', 'ingress']}>
        <NetworkingPart {...part} />
      </Foldable>
      <Foldable title="Beyond App Runner" description={'Settings of Slipway, kept as tags that begin with "slipway:".'} faults={faults} of={['extras']}>
        <ExtrasPart {...part} />
      </Foldable>
      <Foldable title="Tags" description="Key and value pairs of your own." faults={faults} of={['tags']}>
        <TagsPart {...part} />
      </Foldable>
    </SpaceBetween>
  );
}

function NameField({ form, change, faults }: PartProps) {
  return (
    <FormField
      label="Service name"
      constraintText={'4 to 40 letters, digits, "-" and "_", beginning with a letter or digit. It cannot be changed later.'}
      errorText={faults['name']}
    >
      <Input value={form.name} spellcheck={false} onChange={({ detail }) => { change({ name: detail.value }); }} />
    </FormField>
  );
}

function StartCommandField({ form, change, faults }: PartProps) {
  return (
    <FormField label={<>Start command <i>- optional</i></>} description="In place of the image's own command; its entry point stays." errorText={faults['startCommand']} stretch>
      <Input value={form.startCommand} spellcheck={false} onChange={({ detail }) => { change({ startCommand: detail.value }); }} />
    </FormField>
  );
}

interface FoldableProps {
  title: string;
  description: string;
  faults: PartProps['faults'];
  /** The fields inside: a fault in one of them keeps the section open. */
  of: readonly string[];
  children: ReactNode;
}

function Foldable({ title, description, faults, of, children }: FoldableProps) {
  const [open, setOpen] = useState(false);
  const faulty = Object.keys(faults).some((field) => of.some((f) => field === f || field.startsWith(`${f}.`)));
  return (
    <ExpandableSection variant="container" headerText={title} headerDescription={description} expanded={open || faulty} onChange={({ detail }) => { setOpen(detail.expanded); }}>
      {children}
    </ExpandableSection>
  );
}
