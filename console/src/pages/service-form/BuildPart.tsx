import Container from '@cloudscape-design/components/container';
import FormField from '@cloudscape-design/components/form-field';
import Header from '@cloudscape-design/components/header';
import Input from '@cloudscape-design/components/input';
import Select from '@cloudscape-design/components/select';
import SpaceBetween from '@cloudscape-design/components/space-between';
import Tiles from '@cloudscape-design/components/tiles';

import { runtimes } from './limits';
import type { PartProps } from './part';

/** How the code is built and started: said here, or in the repository's apprunner.yaml, which hides the fields that come from it. */
export function BuildFields({ form, change, faults }: PartProps) {
  return (
    <Container header={<Header variant="h2">Build settings</Header>}>
      <SpaceBetween size="l">
        <FormField label="Configuration source" stretch>
          <Tiles
            value={form.settingsFrom}
            items={[
              { value: 'API', label: 'Configure all settings here', description: 'An apprunner.yaml in the repository is not read.' },
              { value: 'REPOSITORY', label: 'Use a configuration file', description: 'Runtime, commands, port and environment variables are read from apprunner.yaml at each deployment.' },
            ]}
            onChange={({ detail }) => { change({ settingsFrom: detail.value === 'REPOSITORY' ? 'REPOSITORY' : 'API' }); }}
          />
        </FormField>
        {form.settingsFrom === 'API' && <BuildSettings form={form} change={change} faults={faults} />}
      </SpaceBetween>
    </Container>
  );
}

function BuildSettings({ form, change, faults }: PartProps) {
  return (
    <SpaceBetween size="l">
      <FormField label="Runtime" errorText={faults['runtime']}>
        <Select
          options={runtimes}
          selectedOption={runtimes.find((r) => r.value === form.runtime) ?? null}
          placeholder="Choose a runtime"
          onChange={({ detail }) => { change({ runtime: detail.selectedOption.value ?? '' }); }}
        />
      </FormField>
      <FormField label={<>Build command <i>- optional</i></>} description="Runs in the source directory at each deployment." errorText={faults['buildCommand']} stretch>
        <Input value={form.buildCommand} spellcheck={false} placeholder="npm ci" onChange={({ detail }) => { change({ buildCommand: detail.value }); }} />
      </FormField>
      <FormField label="Start command" description="Starts the application." errorText={faults['startCommand']} stretch>
        <Input value={form.startCommand} spellcheck={false} placeholder="node server.js" onChange={({ detail }) => { change({ startCommand: detail.value }); }} />
      </FormField>
      <PortField form={form} change={change} faults={faults} />
    </SpaceBetween>
  );
}

/** The port that the application listens on. */
export function PortField({ form, change, faults }: PartProps) {
  return (
    <FormField label="Port" description="The port that the application listens on; it is told by the variable PORT." errorText={faults['port']}>
      <Input value={form.port} inputMode="numeric" onChange={({ detail }) => { change({ port: detail.value.trim() }); }} />
    </FormField>
  );
}
