import { checkExtra, extraPrefix, extras } from './extras';
import { settingsAreHere, type HealthCheck, type Scaling, type ServiceForm, type VariableSource } from './form';
import { cpuSizes, isPublicImage, maxTags, memoryLabel, cpuLabel, readPrivateImage, sizes } from './limits';

/** What is wrong, by the field of the form: "imageUri", "scaling.minSize", "variables.0.name". The words are those of the API. */
export type Faults = Readonly<Record<string, string>>;

/** The parts of the form, as the wizard asks for them and the Configuration tab shows them. */
export type Part = 'source' | 'build' | 'service';

/** What is wrong with one part of the form. */
export function check(part: Part, form: ServiceForm): Faults {
  switch (part) {
    case 'source':
      return { ...(form.kind === 'image' ? checkImage(form) : checkCode(form)) };
    case 'build':
      return form.kind === 'code' && form.settingsFrom === 'API' ? checkBuild(form) : {};
    case 'service':
      return {
        ...checkName('name', form.name, 40),
        ...checkSize(form),
        ...(settingsAreHere(form) ? checkVariables(form) : {}),
        ...(form.kind === 'image' ? checkPort(form.port) : {}),
        ...checkScaling(form.scaling),
        ...checkHealth(form.health),
        ...checkSecurity(form),
        ...checkNetwork(form),
        ...checkExtras(form),
        ...checkTags(form),
      };
  }
}

/** A fault if the text is one, else none. */
function fault(field: string, text: string | false | undefined): Faults {
  return text ? { [field]: text } : {};
}

const quoted = (text: string) => JSON.stringify(text.length > 64 ? `${text.slice(0, 64)}…` : text);

function checkImage(form: ServiceForm): Faults {
  const uri = form.imageUri;
  if (uri === '') return { imageUri: 'An image URI is required.' };
  if (form.provider === 'ECR_PUBLIC') {
    const form_ = 'public.ecr.aws/<alias>/<repository>[:<tag>|@<digest>]';
    return fault('imageUri', !isPublicImage(uri) && `${quoted(uri)} is no public image; the form is ${form_}.`);
  }
  const shape = '<account>.dkr.ecr.<region>.amazonaws.com/<repository>[:<tag>|@<digest>]';
  return {
    ...fault('imageUri', !readPrivateImage(uri) && `${quoted(uri)} is no private image; the form is ${shape}.`),
    ...checkAccess(form),
  };
}

function checkAccess(form: ServiceForm): Faults {
  const { use, arn, name } = form.access;
  if (use === 'caller') return {};
  if (use === 'existing') return fault('access.arn', arn === '' && 'An access role is required for a private ECR image.');
  return fault('access.name', !/^[\w+=,.@-]{1,64}$/.test(name) && `${quoted(name)} is not allowed; use 1 to 64 letters, digits and +=,.@-_.`);
}

function checkCode(form: ServiceForm): Faults {
  return {
    ...fault('repositoryUrl', checkRepository(form.repositoryUrl)),
    ...fault('branch', form.branch === '' && 'A branch is required.'),
    ...fault('sourceDirectory', form.sourceDirectory.split('/').includes('..') && `${quoted(form.sourceDirectory)} leaves the repository; ".." is not allowed.`),
  };
}

function checkRepository(text: string): string | undefined {
  if (text === '') return 'A repository URL is required.';
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url && url.protocol !== 'ssh:' && (url.username !== '' || url.password !== '')) {
    return 'The URL holds credentials; give them to a connection, never in the URL.';
  }
  return undefined;
}

function checkBuild(form: ServiceForm): Faults {
  return {
    ...fault('runtime', form.runtime === '' && 'A runtime is required.'),
    ...fault('startCommand', form.startCommand === '' && 'A start command is required: it starts the application.'),
    ...checkPort(form.port),
  };
}

function checkPort(port: string): Faults {
  const n = Number(port);
  return fault('port', !(/^[1-9]\d*$/.test(port) && n <= 65535) && `${quoted(port)} is not allowed; a port is a whole number from 1 to 65535.`);
}

/** The rule for the names of resources. */
export function checkName(field: string, name: string, longest: number): Faults {
  const fine = /^[A-Za-z0-9][A-Za-z0-9_-]{3,}$/.test(name) && name.length <= longest;
  const rule = `use 4 to ${String(longest)} letters, digits, "-" and "_", beginning with a letter or digit`;
  return fault(field, !fine && `${quoted(name)} is not allowed; ${rule}.`);
}

function checkSize(form: ServiceForm): Faults {
  const allowed = sizes[form.cpu] ?? [];
  if (!cpuSizes.includes(form.cpu)) return { cpu: 'Choose a size.' };
  const words = allowed.map(memoryLabel).join(', ');
  return fault('memory', !allowed.includes(form.memory) && `${memoryLabel(form.memory)} is not allowed with ${cpuLabel(form.cpu)}; allowed with it: ${words}.`);
}

function checkVariables(form: ServiceForm): Faults {
  let faults: Faults = {};
  const names = form.variables.map((v) => v.name);
  form.variables.forEach(({ name, value, source }, i) => {
    const at = `variables.${String(i)}`;
    faults = { ...faults, ...fault(`${at}.name`, checkVariableName(name, names)), ...fault(`${at}.value`, checkReference(source, value)) };
  });
  const secrets = form.variables.some((v) => v.source !== 'plain');
  return { ...faults, ...fault('instanceRoleArn', secrets && form.instanceRoleArn === '' && 'An instance role is required with secrets: the role is what may read them.') };
}

const secretReference = /^arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[A-Za-z0-9/_+=.@!-]+(:[^:]*){0,3}$/;
const parameterReference = /^(arn:aws[a-z-]*:ssm:[a-z0-9-]+:[0-9]{12}:parameter\/|\/)?[A-Za-z0-9_.-]+(\/[A-Za-z0-9_.-]+)*$/;

/** What is wrong with a reference. It is not shown: somebody may have typed the secret itself. */
function checkReference(source: VariableSource, value: string): string | undefined {
  if (source === 'secret' && !secretReference.test(value)) {
    return 'Must be the ARN of a Secrets Manager secret, optionally with :json-key:version-stage:version-id.';
  }
  if (source === 'parameter' && !parameterReference.test(value)) return 'Must be the name or the ARN of an SSM parameter.';
  return undefined;
}

function checkVariableName(name: string, all: readonly string[]): string | undefined {
  if (name === '' || name.includes('=')) return 'The name is empty or holds "=".';
  if (name === 'PORT') return 'PORT is reserved: it always holds the configured port.';
  if (name.startsWith('AWSAPPRUNNER')) return 'Names that start with AWSAPPRUNNER are reserved.';
  return all.filter((other) => other === name).length > 1 ? 'The same name is set twice.' : undefined;
}

/** A whole number inside its bounds; without an upper one the installation has its own. */
function checkNumber(field: string, text: string, low: number, high = Infinity): Faults {
  const n = Number(text);
  const fine = /^\d+$/.test(text) && n >= low && n <= high;
  const allowed = high === Infinity ? `from ${String(low)}` : `from ${String(low)} to ${String(high)}`;
  return fault(field, !fine && `${quoted(text)} is not allowed; use a whole number ${allowed}.`);
}

/** What is wrong with a new auto scaling configuration; a chosen one must be named. */
export function checkScaling(s: Scaling): Faults {
  if (s.use === 'default') return {};
  if (s.use === 'existing') return fault('scaling.arn', s.arn === '' && 'Choose a configuration.');
  const faults = {
    ...checkName('scaling.name', s.name, 32),
    ...checkNumber('scaling.maxConcurrency', s.maxConcurrency, 1, 200),
    ...checkNumber('scaling.minSize', s.minSize, 1, 25),
    ...checkNumber('scaling.maxSize', s.maxSize, 1),
  };
  const crossed = !('scaling.minSize' in faults) && !('scaling.maxSize' in faults) && Number(s.minSize) > Number(s.maxSize);
  return { ...faults, ...fault('scaling.maxSize', crossed && 'The maximum size is smaller than the minimum size.') };
}

function checkHealth(h: HealthCheck): Faults {
  const faults = {
    ...checkNumber('health.interval', h.interval, 1, 20),
    ...checkNumber('health.timeout', h.timeout, 1, 20),
    ...checkNumber('health.healthyThreshold', h.healthyThreshold, 1, 20),
    ...checkNumber('health.unhealthyThreshold', h.unhealthyThreshold, 1, 20),
    ...fault('health.path', h.protocol === 'HTTP' && !h.path.startsWith('/') && `${quoted(h.path)} must begin with "/".`),
  };
  if ('health.interval' in faults || 'health.timeout' in faults || Number(h.interval) >= Number(h.timeout)) return faults;
  const words = `Interval ${h.interval} s is smaller than timeout ${h.timeout} s; it must be at least as long.`;
  return { ...faults, 'health.interval': words };
}

const keyArn = /^arn:aws(-[\w]+)*:kms:[a-z-]+-[0-9]:[0-9]{12}:key\/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

function checkSecurity(form: ServiceForm): Faults {
  return fault('kmsKey', form.kmsKey !== '' && !keyArn.test(form.kmsKey) && `${quoted(form.kmsKey)} is not the ARN of a KMS key.`);
}

function checkNetwork(form: ServiceForm): Faults {
  return {
    ...fault('egress.connectorArn', form.egress.type === 'VPC' && form.egress.connectorArn === '' && 'Choose a VPC connector.'),
    ...fault('ingress.vpcEndpointId', !form.ingress.public && form.ingress.vpcEndpointId === '' && 'Choose a VPC interface endpoint: without one nobody reaches the service.'),
  };
}

function checkExtras(form: ServiceForm): Faults {
  let faults: Faults = {};
  for (const extra of extras) {
    const value = form.extras[extra.name];
    if (value !== undefined) faults = { ...faults, ...fault(`extras.${extra.name}`, checkExtra(extra, value)) };
  }
  return faults;
}

function checkTags(form: ServiceForm): Faults {
  let faults: Faults = {};
  const keys = form.tags.map((t) => t.key);
  form.tags.forEach(({ key, value }, i) => {
    const at = `tags.${String(i)}`;
    faults = { ...faults, ...fault(`${at}.key`, checkTagKey(key, keys)), ...fault(`${at}.value`, [...value].length > 256 && 'Must have at most 256 characters.') };
  });
  const count = form.tags.length + Object.keys(form.extras).length;
  return { ...faults, ...fault('tags', count > maxTags && `There are ${String(count)} tags; a resource may have at most ${String(maxTags)}.`) };
}

function checkTagKey(key: string, all: readonly string[]): string | undefined {
  if (key === '' || [...key].length > 128) return 'Must have 1 to 128 characters.';
  if (key.toLowerCase().startsWith('aws:')) return `${quoted(key)} begins with aws:, which is reserved.`;
  if (key.startsWith(extraPrefix)) return 'Tags that begin with slipway: are settings; set them under "Beyond App Runner".';
  return all.filter((other) => other === key).length > 1 ? `${quoted(key)} is given twice.` : undefined;
}
