import { CreateAutoScalingConfigurationCommand, CreateServiceCommand, type AppRunnerClient, type Service } from '@aws-sdk/client-apprunner';
import type { IAMClient } from '@aws-sdk/client-iam';
import { AssociateWebACLCommand, type WAFV2Client } from '@aws-sdk/client-wafv2';

import { planToJoin } from '../networking/plans';
import type { Scaling, ServiceForm } from '../service-form/form';
import { createRequest } from '../service-form/request';
import { makeAccessRole } from '../service-form/roles';

/** The clients of the APIs that a service is put together with. */
export interface Makers {
  apprunner: AppRunnerClient;
  iam: IAMClient;
  wafv2: WAFV2Client;
}

/** A service that is being created, and what could not be done beside it. */
export interface Created {
  service: Service;
  /** Why the web ACL is not in front of the service, if it is not. */
  aclError?: unknown;
}

/**
 * Makes what the form asks for: the access role, the auto scaling configuration, the service, and the web ACL's place in front of
 * it. `made` gets the form in which what was made stands as existing, so that a second try makes nothing twice.
 */
export async function createService(makers: Makers, asked: ServiceForm, account: string, made: (form: ServiceForm) => void): Promise<Created> {
  const form = await makeMissing(makers, asked, made);
  const { Service: service } = await makers.apprunner.send(new CreateServiceCommand(createRequest(form, account)));
  if (!service) throw new Error('The answer holds no service.');
  if (!form.ingress.public) planToJoin(service.ServiceArn ?? '', form.ingress);
  return { service, ...(await protect(makers.wafv2, form.webAclArn, service)) };
}

/** Makes the role and the auto scaling configuration that the form asks for, and tells of each in the form that it returns. */
export async function makeMissing(makers: Makers, asked: ServiceForm, made: (form: ServiceForm) => void): Promise<ServiceForm> {
  let form = asked;
  if (form.kind === 'image' && form.provider === 'ECR' && form.access.use === 'new') {
    const arn = await makeAccessRole(makers.iam, form.access.name);
    form = { ...form, access: { ...form.access, use: 'existing', arn } };
    made(form);
  }
  if (form.scaling.use === 'new') {
    form = { ...form, scaling: { ...form.scaling, use: 'existing', arn: await makeScaling(makers.apprunner, form.scaling) } };
    made(form);
  }
  return form;
}

/** Makes an auto scaling configuration and returns its ARN. */
export async function makeScaling(apprunner: AppRunnerClient, s: Scaling): Promise<string> {
  const { AutoScalingConfiguration: made } = await apprunner.send(
    new CreateAutoScalingConfigurationCommand({
      AutoScalingConfigurationName: s.name,
      MaxConcurrency: Number(s.maxConcurrency),
      MinSize: Number(s.minSize),
      MaxSize: Number(s.maxSize),
    }),
  );
  return made?.AutoScalingConfigurationArn ?? '';
}

/** Puts the web ACL in front. The service is there by now, so a failure is told beside it and not in place of it. */
async function protect(wafv2: WAFV2Client, acl: string | undefined, service: Service): Promise<{ aclError?: unknown }> {
  if (!acl) return {};
  try {
    await wafv2.send(new AssociateWebACLCommand({ WebACLArn: acl, ResourceArn: service.ServiceArn }));
    return {};
  } catch (aclError) {
    return { aclError };
  }
}
