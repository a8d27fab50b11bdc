import Button from '@cloudscape-design/components/button';
import Container from '@cloudscape-design/components/container';
import Header from '@cloudscape-design/components/header';
import SpaceBetween from '@cloudscape-design/components/space-between';
import type { ReactNode } from 'react';

import type { Part } from '../service-form/checks';
import type { ServiceForm } from '../service-form/form';
import { BuildSummary, ServiceSummary, SourceSummary } from '../service-form/Summary';

/** The last step: everything as it will be sent. */
export function Review({ form, edit }: { form: ServiceForm; edit: (part: Part) => void }) {
  return (
    <SpaceBetween size="l">
      <Section title="Source and deployment" edit={() => { edit('source'); }}>
        <SourceSummary form={form} />
      </Section>
      {form.kind === 'code' && (
        <Section title="Configure build" edit={() => { edit('build'); }}>
          <BuildSummary form={form} />
        </Section>
      )}
      <Section title="Configure service" edit={() => { edit('service'); }}>
        <ServiceSummary form={form} />
      </Section>
    </SpaceBetween>
  );
}

function Section({ title, edit, children }: { title: string; edit: () => void; children: ReactNode }) {
  const header = (
    <Header variant="h2" actions={<Button ariaLabel={`Edit ${title}`} onClick={edit}>Edit</Button>}>
      {title}
    </Header>
  );
  return <Container header={header}>{children}</Container>;
}
