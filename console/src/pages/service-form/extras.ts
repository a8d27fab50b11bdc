import type { Tag } from '@aws-sdk/client-apprunner';

import type { Label } from './form';

/** Settings that App Runner does not have. They travel as tags with this prefix; a name that is missing has its default. */
export type Extras = Readonly<Record<string, string>>;

/** Begins the tags that are settings. */
export const extraPrefix = 'slipway:';

interface ExtraBase {
  /** The tag, without the prefix. */
  name: string;
  group: ExtraGroup;
  label: string;
  description: string;
}

/** One setting: how it is asked for, and what is allowed. */
export type Extra =
  | (ExtraBase & { kind: 'switch'; /** The value that differs from the default. */ on: string })
  | (ExtraBase & { kind: 'choice'; choices: readonly { value: string; label: string }[] })
  | (ExtraBase & { kind: 'text' | 'list'; placeholder: string; check: (value: string) => string | undefined });

/** Under which heading a setting stands. */
export type ExtraGroup = 'Scaling' | 'Deployments' | 'Requests' | 'Access' | 'Instances';

/** The headings, in their order. */
export const extraGroups: readonly ExtraGroup[] = ['Scaling', 'Deployments', 'Requests', 'Access', 'Instances'];

/** Every setting, in the order of the form. The server's own table is internal/apprunner/extras.go. */
export const extras: readonly Extra[] = [
  {
    name: 'scale-to-zero', group: 'Scaling', kind: 'switch', on: 'on', label: 'Scale to zero',
    description: 'The last instance ends after a quiet time; the next request waits while one starts.',
  },
  {
    name: 'min-active', group: 'Scaling', kind: 'text', label: 'Instances that are never frozen', placeholder: '1', check: whole(0, 25),
    description: '0 to 25. Other provisioned instances stand by frozen and thaw in a few milliseconds.',
  },
  {
    name: 'scale-cpu', group: 'Scaling', kind: 'text', label: 'CPU target in percent', placeholder: 'Off', check: whole(1, 100),
    description: '1 to 100. Adds instances when the active ones use more of their CPU than this.',
  },
  {
    name: 'canary', group: 'Deployments', kind: 'text', label: 'Canary: percent and time', placeholder: '10 2m', check: canary,
    description: 'The share of requests that a new version gets for a time before it gets all, such as "10 2m".',
  },
  {
    name: 'request-timeout', group: 'Requests', kind: 'text', label: 'Request timeout', placeholder: '120s', check: time(1, 3600, '1h0m0s'),
    description: '1 s to 1 h. How long one request may take.',
  },
  {
    name: 'idle-timeout', group: 'Requests', kind: 'text', label: 'Idle timeout of streams', placeholder: 'Never', check: time(1, 86400, '24h0m0s'),
    description: '1 s to 24 h. Ends a stream of which nothing came for so long.',
  },
  {
    name: 'sticky', group: 'Requests', kind: 'switch', on: 'on', label: 'Sticky sessions',
    description: 'A cookie keeps a client at its instance.',
  },
  {
    name: 'websockets', group: 'Requests', kind: 'switch', on: 'off', label: 'Refuse WebSocket',
    description: 'WebSocket and every other upgrade is answered with 403.',
  },
  {
    name: 'protocol', group: 'Requests', kind: 'switch', on: 'h2c', label: 'HTTP/2 to the application',
    description: 'Without TLS, as gRPC servers need it.',
  },
  {
    name: 'access-log', group: 'Requests', kind: 'choice', label: 'Access log',
    description: 'One line a request in the stream "access" of the application log group.',
    choices: [
      { value: '', label: 'Off' },
      { value: 'json', label: 'JSON' },
      { value: 'json+query', label: 'JSON, with queries' },
      { value: 'combined', label: 'Combined' },
      { value: 'combined+query', label: 'Combined, with queries' },
    ],
  },
  {
    name: 'allow-ips', group: 'Access', kind: 'list', label: 'Allowed client networks', placeholder: '192.0.2.0/24', check: networks,
    description: 'Networks or addresses separated by spaces. Empty: everybody may call.',
  },
  {
    name: 'basic-auth', group: 'Access', kind: 'list', label: 'Basic authentication', placeholder: 'user:$2y$10$…', check: logins,
    description: 'user:hash pairs separated by spaces, the hash in bcrypt\'s form as "htpasswd -nbB" prints it.',
  },
  {
    name: 'capabilities', group: 'Instances', kind: 'list', label: 'Capabilities', placeholder: 'SETUID SETGID', check: capabilities,
    description: 'For images that start as root and change their user; they count inside the instance only.',
  },
];

/** Parts the tags of a service into settings and plain tags, but for what `joinTags` adds. */
export function splitTags(tags: readonly Tag[]): { extras: Extras; labels: Label[] } {
  const found: Record<string, string> = {};
  const labels: Label[] = [];
  for (const { Key: key = '', Value: value = '' } of tags) {
    if (key === extraPrefix + imageAccess) continue;
    if (key.startsWith(extraPrefix)) found[key.slice(extraPrefix.length)] = value;
    else labels.push({ key, value });
  }
  return { extras: found, labels };
}

/** The setting that lets a service go without an access role; the form asks for it where it asks for the role. */
const imageAccess = 'image-access';

/** The tags of a service; callerPulls says that its image is pulled with the rights of whoever deploys. */
export function joinTags(found: Extras, labels: readonly Label[], callerPulls: boolean): Tag[] {
  const settings = Object.entries(callerPulls ? { ...found, [imageAccess]: 'caller' } : found).map(([name, value]) => ({ Key: extraPrefix + name, Value: value }));
  return [...settings, ...labels.map(({ key, value }) => ({ Key: key, Value: value }))];
}

/** The settings with one more; an empty value is the default and needs no tag. */
export function withExtra(found: Extras, name: string, value: string): Extras {
  const next = Object.fromEntries(Object.entries(found).filter(([other]) => other !== name));
  return value === '' ? next : { ...next, [name]: value };
}

/** Whether a switch is away from its default; the server takes "true" for "on" and "false" for "off". */
export function isOn(extra: Extra & { kind: 'switch' }, value: string): boolean {
  const same: Record<string, string> = { true: 'on', false: 'off' };
  return (same[value] ?? value) === extra.on;
}

/** What is wrong with a setting, in the words of the API; undefined if nothing is. */
export function checkExtra(extra: Extra, value: string): string | undefined {
  if (extra.kind === 'switch' || extra.kind === 'choice') return undefined;
  return extra.check(value) ?? (value.length > 256 ? 'The tag that keeps it must have at most 256 characters.' : undefined);
}

function bad(value: string, allowed: string): string {
  return `Value "${value}" is not allowed. Allowed: ${allowed}.`;
}

function whole(low: number, high: number): (value: string) => string | undefined {
  return (value) => {
    const n = Number(value);
    return /^\d+$/.test(value) && n >= low && n <= high ? undefined : bad(value, `${String(low)} to ${String(high)}`);
  };
}

/** Seconds of a time such as "90", "90s" or "1h30m"; undefined if it is none. */
function seconds(value: string): number | undefined {
  if (/^\d+$/.test(value)) return Number(value);
  const units: Record<string, number> = { ms: 0.001, s: 1, m: 60, h: 3600 };
  if (!/^(?:\d+(?:\.\d+)?(?:ms|s|m|h))+$/.test(value)) return undefined;
  let sum = 0;
  for (const [, n, unit] of value.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)) sum += Number(n) * (units[unit ?? ''] ?? 0);
  return sum;
}

function time(low: number, high: number, highText: string): (value: string) => string | undefined {
  return (value) => {
    const s = seconds(value);
    return s !== undefined && s >= low && s <= high ? undefined : bad(value, `a time from 1s to ${highText}, such as 90s`);
  };
}

function canary(value: string): string | undefined {
  if (value === 'abort') return undefined;
  const [weight = '', during = ''] = value.trim().split(/ +/, 2);
  const wrong = whole(1, 99)(weight.replace(/%$/, '')) ?? time(1, 3600, '1h0m0s')(during);
  return wrong && bad(value, 'percent and time, such as "10 2m", or abort');
}

function separated(value: string): string[] {
  return value.split(/[,\s+]+/).filter((part) => part !== '');
}

const v4 = /^(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\/(?:3[0-2]|[12]?\d))?$/;
const v6 = /^(?=[^/]*:)[0-9a-fA-F:.]{2,45}(?:\/(?:12[0-8]|1[01]\d|[1-9]?\d))?$/;

function networks(value: string): string | undefined {
  const wrong = separated(value).find((part) => !v4.test(part) && !v6.test(part));
  return wrong === undefined ? undefined : bad(wrong, 'networks or addresses separated by spaces, such as 192.0.2.0/24');
}

/** Never shows a value: it may be a password. */
function logins(value: string): string | undefined {
  const fine = value.split(/[,\s]+/).every((pair) => /^[^:]+:\$2[aby]\$(?:0[4-9]|1[0-4])\$.{53}$/.test(pair));
  return fine ? undefined : 'user:hash pairs are needed, the hash in bcrypt\'s form as "htpasswd -nbB" prints it, of a cost up to 14.';
}

const grantable = ['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'FSETID', 'KILL', 'NET_BIND_SERVICE', 'SETGID', 'SETPCAP', 'SETUID', 'SYS_CHROOT'];

function capabilities(value: string): string | undefined {
  const wrong = separated(value).find((part) => !grantable.includes(part.toUpperCase().replace(/^CAP_/, '')));
  return wrong === undefined ? undefined : bad(wrong, grantable.join(', '));
}
