import { describe, expect, it } from 'vitest';

import { apiFaults, partOf } from './apifaults';
import { blank, formOf, type ServiceForm } from './form';
import { createRequest, updateRequest } from './request';

const account = '123456789012';
const role = 'arn:aws:iam::123456789012:role/pulls';
const imageUri = '123456789012.dkr.ecr.us-east-1.amazonaws.com/shop:v1';

const form = (changes: Partial<ServiceForm> = {}): ServiceForm => ({ ...blank, name: 'shop', imageUri, access: { ...blank.access, arn: role }, ...changes });

describe('CreateService', () => {
  it('is sent what the form says, and nothing that it leaves out', () => {
    expect(createRequest(form(), account)).toEqual({
      ServiceName: 'shop',
      SourceConfiguration: {
        AutoDeploymentsEnabled: false,
        AuthenticationConfiguration: { AccessRoleArn: role },
        ImageRepository: {
          ImageIdentifier: imageUri, ImageRepositoryType: 'ECR',
          ImageConfiguration: { Port: '8080', RuntimeEnvironmentVariables: {}, RuntimeEnvironmentSecrets: {} },
        },
      },
      InstanceConfiguration: { Cpu: '1024', Memory: '2048' },
      HealthCheckConfiguration: { Protocol: 'TCP', Interval: 10, Timeout: 5, HealthyThreshold: 1, UnhealthyThreshold: 5 },
      NetworkConfiguration: { EgressConfiguration: { EgressType: 'DEFAULT' }, IngressConfiguration: { IsPubliclyAccessible: true }, IpAddressType: 'IPV4' },
    });
  });

  it('gets secrets and parameters apart from plain values', () => {
    const { SourceConfiguration: source } = createRequest(form({
      variables: [{ name: 'A', value: 'x', source: 'plain' }, { name: 'B', value: 'arn', source: 'secret' }, { name: 'C', value: '/p', source: 'parameter' }],
    }), account);
    expect(source?.ImageRepository?.ImageConfiguration).toMatchObject({ RuntimeEnvironmentVariables: { A: 'x' }, RuntimeEnvironmentSecrets: { B: 'arn', C: '/p' } });
  });

  it.each([
    ['its own', imageUri, true],
    ["another account's", imageUri.replace('123456789012', '210987654321'), false],
  ])('deploys by itself only what is in a repository of %s', (_, uri, automatic) => {
    expect(createRequest(form({ imageUri: uri, automatic: true }), account).SourceConfiguration?.AutoDeploymentsEnabled).toBe(automatic);
  });

  it('takes settings beyond App Runner as tags', () => {
    const request = createRequest(form({ extras: { sticky: 'on' }, tags: [{ key: 'team', value: 'web' }], access: { ...blank.access, use: 'caller' } }), account);
    expect(request.Tags).toEqual([{ Key: 'slipway:sticky', Value: 'on' }, { Key: 'slipway:image-access', Value: 'caller' }, { Key: 'team', Value: 'web' }]);
    expect(request.SourceConfiguration?.AuthenticationConfiguration).toBeUndefined();
  });
});

describe('UpdateService', () => {
  it('is not sent where nothing differs', () => {
    expect(updateRequest(form(), form(), account)).toBeUndefined();
  });

  it('gets what differs alone', () => {
    expect(updateRequest(form(), form({ cpu: '2048', memory: '4096' }), account)).toEqual({ InstanceConfiguration: { Cpu: '2048', Memory: '4096' } });
  });

  it('leaves the image out where the trigger alone differs, as it would be pulled anew', () => {
    expect(updateRequest(form(), form({ automatic: true }), account)).toEqual({
      SourceConfiguration: { AutoDeploymentsEnabled: true, AuthenticationConfiguration: { AccessRoleArn: role } },
    });
  });
});

it('a service is shown as the form that makes it', () => {
  const made = form({ variables: [{ name: 'A', value: 'x', source: 'plain' }], port: '3000', startCommand: './run', instanceRoleArn: role });
  const { SourceConfiguration, InstanceConfiguration, HealthCheckConfiguration, NetworkConfiguration } = createRequest(made, account);
  const service = { ServiceName: 'shop', SourceConfiguration, InstanceConfiguration, HealthCheckConfiguration, NetworkConfiguration };
  const shown = formOf(service as Parameters<typeof formOf>[0], [{ Key: 'slipway:sticky', Value: 'on' }, { Key: 'team', Value: 'web' }], '');
  expect(shown).toEqual({ ...made, scaling: { ...blank.scaling, use: 'existing' }, extras: { sticky: 'on' }, tags: [{ key: 'team', value: 'web' }] });
});

describe('what the API refuses', () => {
  it.each([
    ['sourceConfiguration.imageRepository.imageIdentifier is not allowed.', { imageUri: 'Is not allowed.' }],
    ['Error in assuming access role arn:aws:iam::1:role/x', { 'access.arn': 'Error in assuming access role arn:aws:iam::1:role/x' }],
    ['Service with the provided name already exists: shop', { name: 'Service with the provided name already exists: shop' }],
    ['Something else went wrong.', {}],
  ])('%s', (message, faults) => {
    expect(apiFaults(new Error(message))).toEqual(faults);
  });

  it('stands in the part of the form that asks for it', () => {
    expect(partOf('imageUri', 'image')).toBe('source');
    expect(partOf('port', 'code')).toBe('build');
    expect(partOf('port', 'image')).toBe('service');
  });
});
