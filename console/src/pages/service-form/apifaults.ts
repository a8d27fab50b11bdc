import type { Faults, Part } from './checks';

/** Where a member of a request stands in the form. */
interface Place {
  /** How messages of the API name the member. */
  path: string;
  field: string;
}

const image = 'sourceConfiguration.imageRepository';
const code = 'sourceConfiguration.codeRepository';
const values = `${code}.codeConfiguration.codeConfigurationValues`;
const auth = 'sourceConfiguration.authenticationConfiguration';

/** Longer paths first, so that a member is not taken for the structure that holds it. */
const places: readonly Place[] = [
  { path: `${image}.imageIdentifier`, field: 'imageUri' },
  { path: `${image}.imageRepositoryType`, field: 'imageUri' },
  { path: `${image}.imageConfiguration.port`, field: 'port' },
  { path: `${image}.imageConfiguration.startCommand`, field: 'startCommand' },
  { path: `${image}.imageConfiguration`, field: 'variables' },
  { path: `${auth}.accessRoleArn`, field: 'access.arn' },
  { path: `${auth}.connectionArn`, field: 'connectionArn' },
  { path: 'sourceConfiguration.autoDeploymentsEnabled', field: 'automatic' },
  { path: `${code}.repositoryUrl`, field: 'repositoryUrl' },
  { path: `${code}.sourceCodeVersion`, field: 'branch' },
  { path: `${code}.sourceDirectory`, field: 'sourceDirectory' },
  { path: `${values}.runtimeEnvironmentVariables`, field: 'variables' },
  { path: `${values}.runtimeEnvironmentSecrets`, field: 'variables' },
  { path: `${values}.runtime`, field: 'runtime' },
  { path: `${values}.buildCommand`, field: 'buildCommand' },
  { path: `${values}.startCommand`, field: 'startCommand' },
  { path: `${values}.port`, field: 'port' },
  { path: 'serviceName', field: 'name' },
  { path: 'Service with the provided name', field: 'name' },
  { path: 'instanceConfiguration.instanceRoleArn', field: 'instanceRoleArn' },
  { path: 'instanceConfiguration.cpu', field: 'cpu' },
  { path: 'instanceConfiguration', field: 'memory' },
  { path: 'Error in assuming access role', field: 'access.arn' },
  { path: 'Error in assuming instance role', field: 'instanceRoleArn' },
  { path: 'healthCheckConfiguration.path', field: 'health.path' },
  { path: 'healthCheckConfiguration.timeout', field: 'health.timeout' },
  { path: 'healthCheckConfiguration.healthyThreshold', field: 'health.healthyThreshold' },
  { path: 'healthCheckConfiguration.unhealthyThreshold', field: 'health.unhealthyThreshold' },
  { path: 'healthCheckConfiguration', field: 'health.interval' },
  { path: 'autoScalingConfigurationArn', field: 'scaling.arn' },
  { path: 'autoScalingConfigurationName', field: 'scaling.name' },
  { path: 'maxConcurrency', field: 'scaling.maxConcurrency' },
  { path: 'minSize', field: 'scaling.minSize' },
  { path: 'maxSize', field: 'scaling.maxSize' },
  { path: 'Role with name', field: 'access.name' },
  { path: 'encryptionConfiguration.kmsKey', field: 'kmsKey' },
  { path: 'networkConfiguration.egressConfiguration', field: 'egress.connectorArn' },
  { path: 'tags', field: 'tags' },
];

const buildFields = ['runtime', 'buildCommand'];
const sourceFields = ['imageUri', 'access.arn', 'connectionArn', 'automatic', 'repositoryUrl', 'branch', 'sourceDirectory'];

/**
 * Puts what the API says to the fields it speaks of. The message is shown whole elsewhere as well: a part that names no field of
 * the form is in it only.
 */
export function apiFaults(error: unknown): Faults {
  const message = error instanceof Error ? error.message : '';
  const faults: Record<string, string> = {};
  for (const sentence of message.split(/; (?=[a-z][A-Za-z]+(?:\.[A-Za-z0-9.]+)? )/)) {
    const place = places.find(({ path }) => sentence.startsWith(path) || sentence.includes(`'${path}'`));
    if (place && !(place.field in faults)) faults[place.field] = spoken(sentence, place.path);
  }
  return faults;
}

/** The sentence without the member's path, which the field's label says better. */
function spoken(sentence: string, path: string): string {
  if (!sentence.startsWith(path) || path.includes(' ')) return sentence;
  const rest = sentence.slice(path.length).replace(/^[.\w]*\s+/, '');
  return /^[a-z]+ /.test(rest) ? rest.charAt(0).toUpperCase() + rest.slice(1) : rest;
}

/** In which part of the form a field stands; start command and port stand with the build of a code service. */
export function partOf(field: string, kind: 'image' | 'code'): Part {
  if (sourceFields.includes(field)) return 'source';
  if (buildFields.includes(field)) return 'build';
  return kind === 'code' && (field === 'port' || field === 'startCommand') ? 'build' : 'service';
}
