import { describe, expect, it } from 'vitest';

import { check, type Part } from './checks';
import { blank, type ServiceForm, type Variable } from './form';

const image = '123456789012.dkr.ecr.us-east-1.amazonaws.com/shop:v1';
const role = 'arn:aws:iam::123456789012:role/pulls';

/** A form that can be sent, but for what a test changes in it. */
const form = (changes: Partial<ServiceForm> = {}): ServiceForm => ({ ...blank, name: 'shop', imageUri: image, access: { ...blank.access, arn: role }, ...changes });
const code = (changes: Partial<ServiceForm> = {}) => form({ kind: 'code', repositoryUrl: 'https://github.com/acme/shop', runtime: 'GO_1', startCommand: './shop', ...changes });

/** The fields of a part that have faults. */
const wrong = (part: Part, f: ServiceForm) => Object.keys(check(part, f)).sort();

it.each(['source', 'build', 'service'] as const)('a form that is filled in can be sent: %s', (part) => {
  expect(check(part, form())).toEqual({});
  expect(check(part, code())).toEqual({});
});

describe('an image', () => {
  it.each([
    ['is missing', { imageUri: '' }, ['imageUri']],
    ['is of no registry', { imageUri: 'shop:v1' }, ['imageUri']],
    ['is public, but said to be private', { imageUri: 'public.ecr.aws/acme/shop:v1' }, ['imageUri']],
    ['has nobody to pull it', { access: { ...blank.access } }, ['access.arn']],
    ['is pulled by a new role without a name', { access: { use: 'new' as const, arn: '', name: '' } }, ['access.name']],
    ['is pulled by the caller', { access: { use: 'caller' as const, arn: '', name: '' } }, []],
    ['is public', { provider: 'ECR_PUBLIC' as const, imageUri: 'public.ecr.aws/acme/shop:v1' }, []],
    ['has a digest', { imageUri: `123456789012.dkr.ecr.us-east-1.amazonaws.com/a/shop@sha256:${'0'.repeat(64)}` }, []],
  ])('%s', (_, changes, fields) => {
    expect(wrong('source', form(changes))).toEqual(fields);
  });
});

describe('a repository', () => {
  it.each([
    ['is missing', { repositoryUrl: '' }, ['repositoryUrl']],
    ['has a password in its address', { repositoryUrl: 'https://ana:geheim@github.com/acme/shop' }, ['repositoryUrl']],
    ['is reached by SSH as a user', { repositoryUrl: 'ssh://git@example.com/shop.git' }, []],
    ['has no branch', { branch: '' }, ['branch']],
    ['is left by its directory', { sourceDirectory: '/a/../..' }, ['sourceDirectory']],
  ])('%s', (_, changes, fields) => {
    expect(wrong('source', code(changes))).toEqual(fields);
  });

  it('never shows a password', () => {
    expect(JSON.stringify(check('source', code({ repositoryUrl: 'https://ana:geheim@github.com/acme/shop' })))).not.toContain('geheim');
  });

  it('with a configuration file asks for no build settings', () => {
    const empty = { runtime: '', startCommand: '', port: '' };
    expect(wrong('build', code(empty))).toEqual(['port', 'runtime', 'startCommand']);
    expect(wrong('build', code({ ...empty, settingsFrom: 'REPOSITORY' }))).toEqual([]);
  });
});

describe('a name', () => {
  it.each([['abc', false], ['abcd', true], ['a'.repeat(40), true], ['a'.repeat(41), false], ['-abc', false], ['a b c', false], ['Shop_1-x', true]])('%s', (name, fine) => {
    expect(wrong('service', form({ name }))).toEqual(fine ? [] : ['name']);
  });
});

it.each([['0', false], ['1', true], ['65535', true], ['65536', false], ['080', false], ['8e3', false], ['', false]])('the port %o', (port, fine) => {
  expect(wrong('service', form({ port }))).toEqual(fine ? [] : ['port']);
});

it.each([['256', '512', []], ['256', '2048', ['memory']], ['4096', '12288', []], ['3', '512', ['cpu']]])('%s units of CPU with %s MB', (cpu, memory, fields) => {
  expect(wrong('service', form({ cpu, memory }))).toEqual(fields);
});

describe('variables', () => {
  const variable = (name: string, value = 'v', source: Variable['source'] = 'plain'): Variable => ({ name, value, source });
  const secret = 'arn:aws:secretsmanager:us-east-1:123456789012:secret:db-AbCdEf';
  const reader = { instanceRoleArn: role };

  it.each([
    ['without a name', [variable('')], ['variables.0.name']],
    ['called PORT', [variable('PORT')], ['variables.0.name']],
    ['of the platform', [variable('AWSAPPRUNNER_X')], ['variables.0.name']],
    ['twice', [variable('A'), variable('A')], ['variables.0.name', 'variables.1.name']],
    ['in plain text', [variable('A', '')], []],
    ['of a secret', [variable('A', `${secret}:user::`, 'secret')], []],
    ['of a secret that is none', [variable('A', 'hunter2', 'secret')], ['variables.0.value']],
    ['of a parameter', [variable('A', '/shop/db', 'parameter')], []],
    ['of a parameter that is none', [variable('A', 'no name', 'parameter')], ['variables.0.value']],
  ])('%s', (_, variables, fields) => {
    expect(wrong('service', form({ variables, ...reader }))).toEqual(fields);
  });

  it('that are secret need a role to read them', () => {
    expect(wrong('service', form({ variables: [variable('A', secret, 'secret')] }))).toEqual(['instanceRoleArn']);
  });

  it('that were typed in the wrong place are not shown', () => {
    expect(JSON.stringify(check('service', form({ variables: [variable('A', 'hunter2', 'secret')] })))).not.toContain('hunter2');
  });
});

describe('a health check', () => {
  const health = (changes: Partial<ServiceForm['health']>) => wrong('service', form({ health: { ...blank.health, ...changes } }));

  it.each([
    ['as it is at first', {}, []],
    ['whose interval is shorter than its timeout', { interval: '4', timeout: '5' }, ['health.interval']],
    ['whose interval is as long', { interval: '5', timeout: '5' }, []],
    ['beyond 20 seconds', { interval: '21' }, ['health.interval']],
    ['half a second', { timeout: '0.5' }, ['health.timeout']],
    ['with a path that begins nowhere', { protocol: 'HTTP' as const, path: 'up' }, ['health.path']],
    ['by TCP, which has no path', { path: '' }, []],
  ])('%s', (_, changes, fields) => {
    expect(health(changes)).toEqual(fields);
  });
});

describe('auto scaling', () => {
  const scaling = (changes: Partial<ServiceForm['scaling']>) => wrong('service', form({ scaling: { ...blank.scaling, use: 'new', name: 'wide', ...changes } }));

  it.each([
    ['as it is at first', {}, []],
    ['without a name', { name: '' }, ['scaling.name']],
    ['of 201 requests at once', { maxConcurrency: '201' }, ['scaling.maxConcurrency']],
    ['with the smallest above the largest', { minSize: '5', maxSize: '4' }, ['scaling.maxSize']],
    ['with none chosen', { use: 'existing' as const }, ['scaling.arn']],
  ])('%s', (_, changes, fields) => {
    expect(scaling(changes)).toEqual(fields);
  });
});

it.each([
  ['', []],
  ['arn:aws:kms:us-east-1:123456789012:key/01234567-89ab-cdef-0123-456789abcdef', []],
  ['alias/shop', ['kmsKey']],
])('the key %o', (kmsKey, fields) => {
  expect(wrong('service', form({ kmsKey }))).toEqual(fields);
});

it('networks must be chosen where they are asked for', () => {
  expect(wrong('service', form({ egress: { type: 'VPC', connectorArn: '' }, ingress: { ...blank.ingress, public: false } }))).toEqual(['egress.connectorArn', 'ingress.vpcEndpointId']);
});

describe('tags', () => {
  const tags = (...list: [string, string][]) => wrong('service', form({ tags: list.map(([key, value]) => ({ key, value })) }));

  it.each([
    ['with a key and a value', [['team', 'web']], []],
    ['without a key', [['', 'web']], ['tags.0.key']],
    ['of AWS', [['aws:x', '']], ['tags.0.key']],
    ['of Slipway', [['slipway:sticky', 'on']], ['tags.0.key']],
    ['twice', [['a', '1'], ['a', '2']], ['tags.0.key', 'tags.1.key']],
    ['longer than 256 characters', [['a', 'x'.repeat(257)]], ['tags.0.value']],
  ] as [string, [string, string][], string[]][])('%s', (_, list, fields) => {
    expect(tags(...list)).toEqual(fields);
  });

  it('are at most 50, settings included', () => {
    const labels = Array.from({ length: 50 }, (_, i) => ({ key: `k${String(i)}`, value: '' }));
    expect(wrong('service', form({ tags: labels }))).toEqual([]);
    expect(wrong('service', form({ tags: labels, extras: { sticky: 'on' } }))).toEqual(['tags']);
  });
});

describe('settings beyond App Runner', () => {
  it.each([
    ['canary', '10 2m', true], ['canary', 'abort', true], ['canary', '100 2m', false], ['canary', '10', false],
    ['request-timeout', '90', true], ['request-timeout', '1h30m', false], ['request-timeout', 'soon', false],
    ['allow-ips', '192.0.2.0/24 2001:db8::/32', true], ['allow-ips', '192.0.2.256', false], ['allow-ips', 'example.com', false],
    ['capabilities', 'cap_setuid SETGID', true], ['capabilities', 'SYS_ADMIN', false],
    ['basic-auth', `ana:$2y$10$${'x'.repeat(53)}`, true], ['basic-auth', 'ana:geheim', false],
  ])('%s: %s', (name, value, fine) => {
    const faults = check('service', form({ extras: { [name]: value } }));
    expect(Object.keys(faults)).toEqual(fine ? [] : [`extras.${name}`]);
    expect(JSON.stringify(faults)).not.toContain('geheim');
  });
});
