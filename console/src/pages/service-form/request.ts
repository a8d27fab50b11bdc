import type {
  CodeConfigurationValues,
  CreateServiceCommandInput,
  HealthCheckConfiguration,
  NetworkConfiguration,
  Runtime,
  SourceConfiguration,
  UpdateServiceCommandInput,
} from '@aws-sdk/client-apprunner';

import { joinTags } from './extras';
import { callerPulls, mayBeAutomatic, type ServiceForm } from './form';
import { readPrivateImage } from './limits';

/** What CreateService is sent. The role and the auto scaling configuration that the form asks to make must be made before. */
export function createRequest(form: ServiceForm, account: string): CreateServiceCommandInput {
  const tags = joinTags(form.extras, form.tags, callerPulls(form));
  return {
    ServiceName: form.name,
    SourceConfiguration: sourceConfiguration(form, account),
    InstanceConfiguration: instanceConfiguration(form),
    HealthCheckConfiguration: healthCheck(form),
    NetworkConfiguration: network(form),
    ...(form.scaling.use === 'default' ? {} : { AutoScalingConfigurationArn: form.scaling.arn }),
    ...(form.kmsKey === '' ? {} : { EncryptionConfiguration: { KmsKey: form.kmsKey } }),
    ...(tags.length === 0 ? {} : { Tags: tags }),
  };
}

/** The members of an update that differ between two states of the form; undefined if none does. */
export function updateRequest(before: ServiceForm, after: ServiceForm, account: string): Omit<UpdateServiceCommandInput, 'ServiceArn'> | undefined {
  const old = createRequest(before, account);
  const now = createRequest(after, account);
  const changed: Omit<UpdateServiceCommandInput, 'ServiceArn'> = {
    ...(same(old.SourceConfiguration, now.SourceConfiguration) ? {} : { SourceConfiguration: sourceUpdate(old.SourceConfiguration, now.SourceConfiguration) }),
    ...(same(old.InstanceConfiguration, now.InstanceConfiguration) ? {} : { InstanceConfiguration: now.InstanceConfiguration }),
    ...(same(old.HealthCheckConfiguration, now.HealthCheckConfiguration) ? {} : { HealthCheckConfiguration: now.HealthCheckConfiguration }),
    ...(same(old.NetworkConfiguration, now.NetworkConfiguration) ? {} : { NetworkConfiguration: now.NetworkConfiguration }),
    ...(after.scaling.arn === before.scaling.arn ? {} : { AutoScalingConfigurationArn: after.scaling.arn }),
  };
  return Object.keys(changed).length === 0 ? undefined : changed;
}

/** Leaves out the repository if nothing in it changed: an update with one builds or pulls anew. */
function sourceUpdate(old: SourceConfiguration | undefined, now: SourceConfiguration | undefined): SourceConfiguration {
  const rest: SourceConfiguration = { ...now };
  if (same(old?.ImageRepository, now?.ImageRepository)) delete rest.ImageRepository;
  if (same(old?.CodeRepository, now?.CodeRepository)) delete rest.CodeRepository;
  return rest;
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function sourceConfiguration(form: ServiceForm, account: string): SourceConfiguration {
  const automatic = mayBeAutomatic(form, readPrivateImage(form.imageUri)?.account, account) && form.automatic;
  return { AutoDeploymentsEnabled: automatic, ...(form.kind === 'image' ? imageSource(form) : codeSource(form)) };
}

function imageSource(form: ServiceForm): SourceConfiguration {
  return {
    ...(form.provider === 'ECR' && !callerPulls(form) ? { AuthenticationConfiguration: { AccessRoleArn: form.access.arn } } : {}),
    ImageRepository: {
      ImageIdentifier: form.imageUri,
      ImageRepositoryType: form.provider,
      ImageConfiguration: {
        Port: form.port,
        ...(form.startCommand === '' ? {} : { StartCommand: form.startCommand }),
        ...environment(form),
      },
    },
  };
}

function codeSource(form: ServiceForm): SourceConfiguration {
  return {
    ...(form.connectionArn === '' ? {} : { AuthenticationConfiguration: { ConnectionArn: form.connectionArn } }),
    CodeRepository: {
      RepositoryUrl: form.repositoryUrl,
      SourceCodeVersion: { Type: 'BRANCH', Value: form.branch },
      SourceDirectory: form.sourceDirectory === '' ? '/' : form.sourceDirectory,
      CodeConfiguration: {
        ConfigurationSource: form.settingsFrom,
        ...(form.settingsFrom === 'API' ? { CodeConfigurationValues: codeValues(form) } : {}),
      },
    },
  };
}

function codeValues(form: ServiceForm): CodeConfigurationValues {
  return {
    Runtime: form.runtime as Runtime,
    StartCommand: form.startCommand,
    Port: form.port,
    ...(form.buildCommand === '' ? {} : { BuildCommand: form.buildCommand }),
    ...environment(form),
  };
}

function environment(form: ServiceForm): { RuntimeEnvironmentVariables: Record<string, string>; RuntimeEnvironmentSecrets: Record<string, string> } {
  const of = (plain: boolean) => Object.fromEntries(form.variables.filter((v) => (v.source === 'plain') === plain).map((v) => [v.name, v.value]));
  return { RuntimeEnvironmentVariables: of(true), RuntimeEnvironmentSecrets: of(false) };
}

function instanceConfiguration(form: ServiceForm) {
  return { Cpu: form.cpu, Memory: form.memory, ...(form.instanceRoleArn === '' ? {} : { InstanceRoleArn: form.instanceRoleArn }) };
}

function healthCheck({ health }: ServiceForm): HealthCheckConfiguration {
  return {
    Protocol: health.protocol,
    Interval: Number(health.interval),
    Timeout: Number(health.timeout),
    HealthyThreshold: Number(health.healthyThreshold),
    UnhealthyThreshold: Number(health.unhealthyThreshold),
    ...(health.protocol === 'HTTP' ? { Path: health.path } : {}),
  };
}

function network({ egress, ingress }: ServiceForm): NetworkConfiguration {
  return {
    EgressConfiguration: egress.type === 'VPC' ? { EgressType: 'VPC', VpcConnectorArn: egress.connectorArn } : { EgressType: 'DEFAULT' },
    IngressConfiguration: { IsPubliclyAccessible: ingress.public },
    IpAddressType: ingress.addresses,
  };
}
