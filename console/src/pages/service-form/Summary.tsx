import Box from '@cloudscape-design/components/box';
import KeyValuePairs, { type KeyValuePairsProps } from '@cloudscape-design/components/key-value-pairs';
import SpaceBetween from '@cloudscape-design/components/space-between';
import { Fragment, type ReactNode } from 'react';

import { resourceName } from '../../words/arn';
import { extras, isOn, type Extra } from './extras';
import { settingsAreHere, type ServiceForm } from './form';
import { cpuLabel, memoryLabel, runtimeLabel, sourceLabels } from './limits';

/** The form, told back: before a service is created, and as the Configuration tab shows it. */

function Pairs({ items, columns = 3 }: { items: KeyValuePairsProps.Item[]; columns?: number }) {
  return <KeyValuePairs columns={columns} items={items} />;
}

const orDash = (text: string): ReactNode => (text === '' ? '–' : text);
const command = (text: string): ReactNode => (text === '' ? '–' : <Box variant="code">{text}</Box>);

/** Source and deployment. */
export function SourceSummary({ form }: { form: ServiceForm }) {
  const trigger = { label: 'Deployment trigger', value: form.automatic ? 'Automatic' : 'Manual' };
  if (form.kind === 'code') {
    return (
      <Pairs
        columns={2}
        items={[
          { label: 'Repository type', value: 'Source code repository' },
          { label: 'Repository', value: form.repositoryUrl },
          { label: 'Connection', value: form.connectionArn === '' ? 'None' : resourceName(form.connectionArn) },
          { label: 'Branch', value: form.branch },
          { label: 'Source directory', value: form.sourceDirectory },
          trigger,
        ]}
      />
    );
  }
  return (
    <Pairs
      columns={2}
      items={[
        { label: 'Repository type', value: 'Container registry' },
        { label: 'Provider', value: form.provider === 'ECR' ? 'Amazon ECR' : 'Amazon ECR Public' },
        { label: 'Container image URI', value: form.imageUri },
        ...(form.provider === 'ECR' ? [{ label: 'ECR access role', value: accessWords(form) }] : []),
        trigger,
      ]}
    />
  );
}

function accessWords({ access }: ServiceForm): string {
  if (access.use === 'caller') return 'None: the rights of whoever deploys count';
  return access.use === 'new' ? `${access.name} (new)` : access.arn.split('/').slice(-1)[0] ?? access.arn;
}

/** How the code is built and started. */
export function BuildSummary({ form }: { form: ServiceForm }) {
  if (form.settingsFrom === 'REPOSITORY') return <Pairs items={[{ label: 'Configuration source', value: 'Configuration file (apprunner.yaml)' }]} />;
  return (
    <Pairs
      items={[
        { label: 'Configuration source', value: 'Settings of the service' },
        { label: 'Runtime', value: runtimeLabel(form.runtime) },
        { label: 'Port', value: form.port },
        { label: 'Build command', value: command(form.buildCommand) },
        { label: 'Start command', value: command(form.startCommand) },
      ]}
    />
  );
}

/** The rest of the service; `networking` is how a service that exists has it. */
export function ServiceSummary({ form, networking }: { form: ServiceForm; networking?: ReactNode }) {
  const image = form.kind === 'image';
  return (
    <SpaceBetween size="l">
      <Pairs
        items={[
          { label: 'Service name', value: form.name },
          { label: 'Virtual CPU and memory', value: `${cpuLabel(form.cpu)}, ${memoryLabel(form.memory)}` },
          ...(image ? [{ label: 'Port', value: form.port }, { label: 'Start command', value: command(form.startCommand) }] : []),
          { label: 'Auto scaling', value: scalingWords(form) },
          { label: 'Health check', value: healthWords(form) },
          { label: 'Instance role', value: orDash(form.instanceRoleArn.split('/').slice(-1)[0] ?? '') },
          { label: 'Encryption key', value: form.kmsKey === '' ? 'Kept by the installation' : form.kmsKey },
          { label: 'Web ACL', value: aclWords(form.webAclArn) },
        ]}
      />
      {networking ?? <NetworkingSummary form={form} planned />}
      {settingsAreHere(form) && <VariablesSummary form={form} />}
      <ExtrasSummary form={form} />
      <TagsSummary form={form} />
    </SpaceBetween>
  );
}

/** `…:regional/webacl/<name>/<id>` → name. */
function aclWords(arn: string | undefined): string {
  if (arn === undefined) return 'You may not see it';
  return arn === '' ? 'None' : (arn.split('/').slice(-2)[0] ?? arn);
}

function scalingWords({ scaling }: ServiceForm): string {
  switch (scaling.use) {
    case 'default':
      return 'Default configuration';
    case 'new':
      return `${scaling.name} (new): concurrency ${scaling.maxConcurrency}, ${scaling.minSize} to ${scaling.maxSize} instances`;
    case 'existing': {
      const [, name = '', revision = ''] = scaling.arn.split('/');
      return `${name}, revision ${revision}`;
    }
  }
}

function healthWords({ health }: ServiceForm): string {
  const what = health.protocol === 'HTTP' ? `HTTP ${health.path}` : 'TCP';
  return `${what}; timeout ${health.timeout} s, interval ${health.interval} s, unhealthy ${health.unhealthyThreshold}, healthy ${health.healthyThreshold}`;
}

/** Where requests come from and go to; planned: the service is not there yet. */
export function NetworkingSummary({ form, planned }: { form: ServiceForm; planned?: boolean }) {
  const { ingress, egress } = form;
  return (
    <Pairs
      items={[
        { label: 'Incoming traffic', value: ingress.public ? 'Public endpoint' : 'Private endpoint' },
        ...(planned && !ingress.public ? [{ label: 'VPC interface endpoint', value: `${ingress.vpcEndpointId} in ${ingress.vpcId}` }] : []),
        { label: 'Outgoing traffic', value: egress.type === 'VPC' ? `Custom VPC: ${resourceName(egress.connectorArn)}` : 'Public access' },
        { label: 'IP addresses', value: ingress.addresses === 'DUAL_STACK' ? 'Dual stack' : 'IPv4' },
      ]}
    />
  );
}

function Titled({ title, children }: { title: string; children: ReactNode }) {
  return (
    <div>
      <Box variant="h3">{title}</Box>
      {children}
    </div>
  );
}

function VariablesSummary({ form }: { form: ServiceForm }) {
  return (
    <Titled title="Environment variables">
      {form.variables.length === 0 ? '–' : <Pairs items={form.variables.map((v) => ({ label: v.name, value: v.source === 'plain' ? command(v.value) : `${sourceLabels[v.source]}: ${v.value}` }))} />}
    </Titled>
  );
}

function extraWords(extra: Extra, value: string): string {
  if (extra.kind === 'switch') return isOn(extra, value) ? 'On' : 'Off';
  if (extra.name === 'basic-auth') return value.split(/[,\s]+/).map((pair) => pair.split(':')[0] ?? '').join(', ');
  return extra.kind === 'choice' ? (extra.choices.find((c) => c.value === value)?.label ?? value) : value;
}

function ExtrasSummary({ form }: { form: ServiceForm }) {
  const set = extras.filter((extra) => form.extras[extra.name] !== undefined);
  if (set.length === 0) return <Fragment />;
  return (
    <Titled title="Beyond App Runner">
      <Pairs items={set.map((extra) => ({ label: extra.label, value: extraWords(extra, form.extras[extra.name] ?? '') }))} />
    </Titled>
  );
}

function TagsSummary({ form }: { form: ServiceForm }) {
  return (
    <Titled title="Tags">{form.tags.length === 0 ? '–' : <Pairs items={form.tags.map((t) => ({ label: t.key, value: orDash(t.value) }))} />}</Titled>
  );
}
