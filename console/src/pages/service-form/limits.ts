/** The limits of the App Runner API that forms hold to, so that most mistakes are told before anything is sent. */

import type { VariableSource } from './form';

/** Sizes of instances: memory in MB that is allowed with CPU in units (1024 = 1 vCPU). */
export const sizes: Readonly<Record<string, readonly string[]>> = {
  '256': ['512', '1024'],
  '512': ['1024'],
  '1024': ['2048', '3072', '4096'],
  '2048': ['4096', '6144'],
  '4096': ['8192', '10240', '12288'],
};

/** The CPU sizes, smallest first. */
export const cpuSizes: readonly string[] = ['256', '512', '1024', '2048', '4096'];

/** Managed runtimes, as the API names them and as people read them. */
export const runtimes: readonly { value: string; label: string }[] = [
  { value: 'PYTHON_311', label: 'Python 3.11' },
  { value: 'PYTHON_3', label: 'Python 3' },
  { value: 'NODEJS_22', label: 'Node.js 22' },
  { value: 'NODEJS_18', label: 'Node.js 18' },
  { value: 'NODEJS_16', label: 'Node.js 16' },
  { value: 'NODEJS_14', label: 'Node.js 14' },
  { value: 'NODEJS_12', label: 'Node.js 12' },
  { value: 'CORRETTO_11', label: 'Corretto 11' },
  { value: 'CORRETTO_8', label: 'Corretto 8' },
  { value: 'GO_1', label: 'Go 1' },
  { value: 'DOTNET_6', label: '.NET 6' },
  { value: 'PHP_81', label: 'PHP 8.1' },
  { value: 'RUBY_31', label: 'Ruby 3.1' },
];

/** How a person reads a runtime of the API. */
export function runtimeLabel(runtime: string): string {
  return runtimes.find((r) => r.value === runtime)?.label ?? runtime;
}

/** Where the value of a variable is, as people read it. */
export const sourceLabels: Readonly<Record<VariableSource, string>> = { plain: 'Plain text', secret: 'Secrets Manager', parameter: 'SSM Parameter Store' };

/** "0.25 vCPU" for 256 units. */
export function cpuLabel(units: string): string {
  return `${String(Number(units) / 1024)} vCPU`;
}

/** "0.5 GB" for 512 MB. */
export function memoryLabel(mib: string): string {
  return `${String(Number(mib) / 1024)} GB`;
}

/** Most tags of one resource. */
export const maxTags = 50;

const privateImage =
  /^([0-9]{12})\.dkr\.ecr\.([a-z-]+-[0-9])\.amazonaws\.com\/((?:[a-z0-9]+(?:[._-][a-z0-9]+)*\/)*[a-z0-9]+(?:[._-][a-z0-9]+)*)(?::([\w+=._:/@-]+)|@([\w:]+))?$/;
const publicImage =
  /^public\.ecr\.aws\/.+\/(?:[a-z0-9]+(?:[._-][a-z0-9]+)*\/)*[a-z0-9]+(?:[._-][a-z0-9]+)*(?::[\w+=._:/@-]+|@[\w:]+)?$/;

/** The account, region, repository and version that a private image's URI names; undefined if it is none. */
export function readPrivateImage(uri: string): { account: string; region: string; repository: string; version: string } | undefined {
  const m = privateImage.exec(uri);
  if (!m) return undefined;
  return { account: m[1] ?? '', region: m[2] ?? '', repository: m[3] ?? '', version: m[4] ?? m[5] ?? 'latest' };
}

/** Whether a URI names an image of the public registry. */
export function isPublicImage(uri: string): boolean {
  return publicImage.test(uri);
}
