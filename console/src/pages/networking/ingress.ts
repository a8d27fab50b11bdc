import {
  type AppRunnerClient,
  CreateVpcIngressConnectionCommand,
  DeleteVpcIngressConnectionCommand,
  DescribeServiceCommand,
  DescribeVpcIngressConnectionCommand,
  ListVpcIngressConnectionsCommand,
  type Service,
  UpdateVpcIngressConnectionCommand,
  type VpcIngressConnection,
} from '@aws-sdk/client-apprunner';

/** Where a private service is reached. */
export interface Target {
  vpcId: string;
  vpcEndpointId: string;
}

/** Whether requests to a service may come from everywhere. */
export function isPublic(service: Service): boolean {
  return service.NetworkConfiguration?.IngressConfiguration?.IsPubliclyAccessible ?? true;
}

/** The ingress connection of a service, if it has one. */
export async function ingressOf(apprunner: AppRunnerClient, serviceArn: string): Promise<VpcIngressConnection | undefined> {
  const { VpcIngressConnectionSummaryList: list } = await apprunner.send(new ListVpcIngressConnectionsCommand({ Filter: { ServiceArn: serviceArn } }));
  const VpcIngressConnectionArn = list?.[0]?.VpcIngressConnectionArn;
  if (!VpcIngressConnectionArn) return undefined;
  return (await apprunner.send(new DescribeVpcIngressConnectionCommand({ VpcIngressConnectionArn }))).VpcIngressConnection;
}

/** How long the deletion of an ingress connection is waited for, in milliseconds. */
const patience = 120_000;
const pause = () => new Promise((done) => { setTimeout(done, 1000); });

/** Ends the private access of a service, and returns when it has ended. The interface endpoint stays. */
export async function leave(apprunner: AppRunnerClient, serviceArn: string): Promise<void> {
  const connection = await ingressOf(apprunner, serviceArn);
  if (!connection) return;
  if (connection.Status !== 'PENDING_DELETION') {
    await apprunner.send(new DeleteVpcIngressConnectionCommand({ VpcIngressConnectionArn: connection.VpcIngressConnectionArn }));
  }
  for (const end = Date.now() + patience; Date.now() < end; await pause()) {
    const now = await ingressOf(apprunner, serviceArn);
    if (!now || now.Status === 'DELETED') return;
    if (now.Status === 'FAILED_DELETION') throw new Error(`The VPC ingress connection ${now.VpcIngressConnectionName ?? ''} could not be deleted.`);
  }
  throw new Error('The VPC ingress connection is still being deleted. Try again in a moment.');
}

/** Joins a service to another endpoint than it is joined to. */
export async function move(apprunner: AppRunnerClient, connection: VpcIngressConnection, { vpcId, vpcEndpointId }: Target): Promise<void> {
  await apprunner.send(new UpdateVpcIngressConnectionCommand({
    VpcIngressConnectionArn: connection.VpcIngressConnectionArn, IngressVpcConfiguration: { VpcId: vpcId, VpcEndpointId: vpcEndpointId },
  }));
}

/** Whether a service was joined, cannot be any more, or will be. */
export type Progress = 'joined' | 'dropped' | 'waiting';

/** Joins a service to an endpoint if it is private and runs by now. */
export async function join(apprunner: AppRunnerClient, serviceArn: string, { vpcId, vpcEndpointId }: Target): Promise<Progress> {
  const { Service: service } = await apprunner.send(new DescribeServiceCommand({ ServiceArn: serviceArn }));
  switch (service?.Status) {
    case 'OPERATION_IN_PROGRESS':
    case 'PAUSED':
      return 'waiting';
    case 'RUNNING':
      if (isPublic(service)) return 'dropped';
      break;
    default:
      return 'dropped';
  }
  if (await ingressOf(apprunner, serviceArn)) return 'joined';
  await apprunner.send(new CreateVpcIngressConnectionCommand({
    ServiceArn: serviceArn, VpcIngressConnectionName: service.ServiceName,
    IngressVpcConfiguration: { VpcId: vpcId, VpcEndpointId: vpcEndpointId },
  }));
  return 'joined';
}
