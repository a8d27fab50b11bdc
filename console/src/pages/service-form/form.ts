import type { HealthCheckProtocol, IngressVpcConfiguration, Service, Tag } from '@aws-sdk/client-apprunner';

import { splitTags, type Extras } from './extras';

/**
 * What a person has typed for a service. Numbers are text until they are sent, so that a half-typed one can be shown as it is.
 * The wizard and the Configuration tab fill in the same form.
 */
export interface ServiceForm {
  kind: 'image' | 'code';

  provider: 'ECR' | 'ECR_PUBLIC';
  imageUri: string;
  access: AccessRole;

  /** Empty: the repository can be read by everybody. */
  connectionArn: string;
  repositoryUrl: string;
  branch: string;
  sourceDirectory: string;

  automatic: boolean;

  /** Where build and start settings of a code service come from: this form, or apprunner.yaml. */
  settingsFrom: 'API' | 'REPOSITORY';
  runtime: string;
  buildCommand: string;
  startCommand: string;
  port: string;

  name: string;
  /** Units: 1024 is one vCPU. */
  cpu: string;
  /** MB. */
  memory: string;
  variables: readonly Variable[];
  scaling: Scaling;
  health: HealthCheck;
  /** Empty: none. */
  instanceRoleArn: string;
  /** Empty: a key that the installation keeps. */
  kmsKey: string;
  /** Empty: none; undefined: the person may not know. */
  webAclArn: string | undefined;
  egress: Egress;
  ingress: Ingress;
  /** Settings beyond App Runner, by the name of their tag without "slipway:"; those not there have their default. */
  extras: Extras;
  tags: readonly Label[];
}

/** Whose rights count when a private image is pulled: those of a role, or of whoever deploys. */
export interface AccessRole {
  use: 'existing' | 'new' | 'caller';
  arn: string;
  /** Of the role to make. */
  name: string;
}

/** Where the value of a variable is: here, in a Secrets Manager secret, or in an SSM parameter. */
export type VariableSource = 'plain' | 'secret' | 'parameter';

/** One environment variable; unless it is plain, the value is a reference to where the value is kept. */
export interface Variable {
  name: string;
  value: string;
  source: VariableSource;
}

/** One tag. */
export interface Label {
  key: string;
  value: string;
}

/** Which auto scaling configuration the service shall have. */
export interface Scaling {
  use: 'default' | 'existing' | 'new';
  arn: string;
  name: string;
  maxConcurrency: string;
  minSize: string;
  maxSize: string;
}

/** How instances are checked; times in seconds. */
export interface HealthCheck {
  protocol: HealthCheckProtocol;
  path: string;
  interval: string;
  timeout: string;
  healthyThreshold: string;
  unhealthyThreshold: string;
}

/** Where outgoing traffic goes. */
export interface Egress {
  type: 'DEFAULT' | 'VPC';
  connectorArn: string;
}

/** Where incoming traffic may come from. */
export interface Ingress {
  public: boolean;
  vpcId: string;
  vpcEndpointId: string;
  addresses: 'IPV4' | 'DUAL_STACK';
}

/** The form as the wizard opens it: the console's own defaults, which are not those of the API for the health check. */
export const blank: ServiceForm = {
  kind: 'image',
  provider: 'ECR',
  imageUri: '',
  access: { use: 'existing', arn: '', name: 'AppRunnerECRAccessRole-console' },
  connectionArn: '',
  repositoryUrl: '',
  branch: 'main',
  sourceDirectory: '/',
  automatic: false,
  settingsFrom: 'API',
  runtime: '',
  buildCommand: '',
  startCommand: '',
  port: '8080',
  name: '',
  cpu: '1024',
  memory: '2048',
  variables: [],
  scaling: { use: 'default', arn: '', name: '', maxConcurrency: '100', minSize: '1', maxSize: '25' },
  health: { protocol: 'TCP', path: '/', interval: '10', timeout: '5', healthyThreshold: '1', unhealthyThreshold: '5' },
  instanceRoleArn: '',
  kmsKey: '',
  webAclArn: '',
  egress: { type: 'DEFAULT', connectorArn: '' },
  ingress: { public: true, vpcId: '', vpcEndpointId: '', addresses: 'IPV4' },
  extras: {},
  tags: [],
};

/** The form that shows a service as it is; endpoint is where a private one is reached. */
export function formOf(service: Service, tags: readonly Tag[], webAclArn: string | undefined, endpoint?: IngressVpcConfiguration): ServiceForm {
  const source = service.SourceConfiguration;
  const network = service.NetworkConfiguration;
  const scaling = service.AutoScalingConfigurationSummary;
  const { extras, labels } = splitTags(tags);
  const isPrivate = source?.ImageRepository?.ImageRepositoryType === 'ECR';
  const accessRole = source?.AuthenticationConfiguration?.AccessRoleArn ?? '';
  return {
    ...blank,
    ...sourceOf(service),
    automatic: source?.AutoDeploymentsEnabled ?? false,
    access: { ...blank.access, arn: accessRole, use: accessRole === '' && isPrivate ? 'caller' : 'existing' },
    connectionArn: source?.AuthenticationConfiguration?.ConnectionArn ?? '',
    name: service.ServiceName ?? '',
    cpu: service.InstanceConfiguration?.Cpu ?? blank.cpu,
    memory: service.InstanceConfiguration?.Memory ?? blank.memory,
    instanceRoleArn: service.InstanceConfiguration?.InstanceRoleArn ?? '',
    health: healthOf(service),
    scaling: { ...blank.scaling, use: 'existing', arn: scaling?.AutoScalingConfigurationArn ?? '' },
    kmsKey: service.EncryptionConfiguration?.KmsKey ?? '',
    webAclArn,
    egress: {
      type: network?.EgressConfiguration?.EgressType ?? 'DEFAULT',
      connectorArn: network?.EgressConfiguration?.VpcConnectorArn ?? '',
    },
    ingress: {
      ...blank.ingress,
      public: network?.IngressConfiguration?.IsPubliclyAccessible ?? true,
      vpcId: endpoint?.VpcId ?? '',
      vpcEndpointId: endpoint?.VpcEndpointId ?? '',
      addresses: network?.IpAddressType === 'DUAL_STACK' ? 'DUAL_STACK' : 'IPV4',
    },
    extras,
    tags: labels,
  };
}

function sourceOf(service: Service): Partial<ServiceForm> {
  const image = service.SourceConfiguration?.ImageRepository;
  if (image) {
    const run = image.ImageConfiguration;
    return {
      kind: 'image',
      provider: image.ImageRepositoryType ?? 'ECR',
      imageUri: image.ImageIdentifier ?? '',
      startCommand: run?.StartCommand ?? '',
      port: run?.Port ?? blank.port,
      variables: variablesOf(run?.RuntimeEnvironmentVariables, run?.RuntimeEnvironmentSecrets),
    };
  }
  const code = service.SourceConfiguration?.CodeRepository;
  const values = code?.CodeConfiguration?.CodeConfigurationValues;
  return {
    kind: 'code',
    repositoryUrl: code?.RepositoryUrl ?? '',
    branch: code?.SourceCodeVersion?.Value ?? '',
    sourceDirectory: code?.SourceDirectory ?? '/',
    settingsFrom: code?.CodeConfiguration?.ConfigurationSource ?? 'API',
    runtime: values?.Runtime ?? '',
    buildCommand: values?.BuildCommand ?? '',
    startCommand: values?.StartCommand ?? '',
    port: values?.Port ?? blank.port,
    variables: variablesOf(values?.RuntimeEnvironmentVariables, values?.RuntimeEnvironmentSecrets),
  };
}

function variablesOf(plain: Record<string, string> | undefined, secrets: Record<string, string> | undefined): Variable[] {
  const list = (values: Record<string, string> | undefined, source: (value: string) => VariableSource) =>
    Object.entries(values ?? {}).map(([name, value]) => ({ name, value, source: source(value) }));
  return [...list(plain, () => 'plain'), ...list(secrets, referenceSource)].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** What a reference leads to. */
function referenceSource(reference: string): VariableSource {
  return /^arn:[^:]*:secretsmanager:/.test(reference) ? 'secret' : 'parameter';
}

function healthOf(service: Service): HealthCheck {
  const h = service.HealthCheckConfiguration;
  return {
    protocol: h?.Protocol ?? 'TCP',
    path: h?.Path ?? '/',
    interval: String(h?.Interval ?? blank.health.interval),
    timeout: String(h?.Timeout ?? blank.health.timeout),
    healthyThreshold: String(h?.HealthyThreshold ?? blank.health.healthyThreshold),
    unhealthyThreshold: String(h?.UnhealthyThreshold ?? blank.health.unhealthyThreshold),
  };
}

/** Whether the trigger can be automatic: not for public images, not for images of another account, and not without a role. */
export function mayBeAutomatic(form: ServiceForm, imageAccount: string | undefined, ownAccount: string): boolean {
  if (form.kind === 'code') return true;
  return form.provider === 'ECR' && form.access.use !== 'caller' && (imageAccount === undefined || imageAccount === ownAccount);
}

/** Whether build, start, port and variables are typed here, not read from apprunner.yaml. */
export function settingsAreHere(form: ServiceForm): boolean {
  return form.kind === 'image' || form.settingsFrom === 'API';
}

/** Whether the image is pulled with the rights of whoever deploys, in place of a role. */
export function callerPulls(form: ServiceForm): boolean {
  return form.kind === 'image' && form.provider === 'ECR' && form.access.use === 'caller';
}
