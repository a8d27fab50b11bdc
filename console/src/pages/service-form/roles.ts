import { AttachRolePolicyCommand, CreateRoleCommand, type IAMClient } from '@aws-sdk/client-iam';

import { principals } from './lists';

/** The name that is proposed for a new access role: one that the account does not have yet. */
export function proposedRole(taken: readonly string[]): string {
  const base = 'AppRunnerECRAccessRole';
  let name: string = base;
  for (let n = 2; taken.includes(name); n++) name = base + String(n);
  return name;
}

/** Makes a role that App Runner may pull private images with, and returns its ARN. */
export async function makeAccessRole(iam: IAMClient, name: string): Promise<string> {
  const trust = {
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Principal: { Service: principals.access }, Action: 'sts:AssumeRole' }],
  };
  const { Role: role } = await iam.send(
    new CreateRoleCommand({
      RoleName: name,
      Path: '/service-role/',
      Description: 'Lets App Runner pull the images of this account.',
      AssumeRolePolicyDocument: JSON.stringify(trust),
    }),
  );
  const PolicyArn = 'arn:aws:iam::aws:policy/service-role/AWSAppRunnerServicePolicyForECRAccess';
  await iam.send(new AttachRolePolicyCommand({ RoleName: name, PolicyArn }));
  return role?.Arn ?? '';
}
