import { TagResourceCommand, UntagResourceCommand, UpdateServiceCommand, type AppRunnerClient, type Service } from '@aws-sdk/client-apprunner';
import { AssociateWebACLCommand, DisassociateWebACLCommand, type WAFV2Client } from '@aws-sdk/client-wafv2';

import { makeMissing, type Makers } from '../create/createService';
import { ingressOf, leave, move } from '../networking/ingress';
import { planToJoin } from '../networking/plans';
import { joinTags } from '../service-form/extras';
import { callerPulls, type Ingress, type ServiceForm } from '../service-form/form';
import { updateRequest } from '../service-form/request';

/**
 * Brings a service from one state of the form to another: by an update where the settings differ, which is an operation, and by tags
 * and the web ACL, which take effect at once. The update comes first, so that nothing is changed if it is refused. `made` gets the
 * form in which what was made for it stands as existing.
 */
export async function saveService(
  makers: Makers,
  service: Service,
  { before, after, account }: { before: ServiceForm; after: ServiceForm; account: string },
  made: (form: ServiceForm) => void,
): Promise<void> {
  const arn = service.ServiceArn ?? '';
  const ready = await makeMissing(makers, after, made);
  const update = updateRequest(before, ready, account);
  if (ready.ingress.public && !before.ingress.public) await leave(makers.apprunner, arn);
  if (update || service.Status === 'CREATE_FAILED') {
    await makers.apprunner.send(new UpdateServiceCommand({ ...update, ServiceArn: arn }));
  }
  await saveEndpoint(makers.apprunner, arn, before.ingress, ready.ingress);
  await saveTags(makers.apprunner, arn, before, ready);
  await saveWebAcl(makers.wafv2, arn, before, ready);
}

/** Joins a private service to its endpoint: at once to another one than it has, else when the update is over. */
async function saveEndpoint(apprunner: AppRunnerClient, arn: string, before: Ingress, after: Ingress): Promise<void> {
  if (after.public || (!before.public && after.vpcEndpointId === before.vpcEndpointId)) return;
  const connection = before.public ? undefined : await ingressOf(apprunner, arn);
  if (connection) await move(apprunner, connection, after);
  else planToJoin(arn, after);
}

async function saveTags(apprunner: AppRunnerClient, ResourceArn: string, before: ServiceForm, after: ServiceForm): Promise<void> {
  const old = new Map(joinTags(before.extras, before.tags, callerPulls(before)).map((t) => [t.Key, t.Value]));
  const now = joinTags(after.extras, after.tags, callerPulls(after));
  const changed = now.filter((t) => old.get(t.Key) !== t.Value);
  const gone = [...old.keys()].filter((key): key is string => key !== undefined && !now.some((t) => t.Key === key));
  if (gone.length > 0) await apprunner.send(new UntagResourceCommand({ ResourceArn, TagKeys: gone }));
  if (changed.length > 0) await apprunner.send(new TagResourceCommand({ ResourceArn, Tags: changed }));
}

async function saveWebAcl(wafv2: WAFV2Client, ResourceArn: string, before: ServiceForm, after: ServiceForm): Promise<void> {
  if (after.webAclArn === undefined || after.webAclArn === before.webAclArn) return;
  if (after.webAclArn === '') await wafv2.send(new DisassociateWebACLCommand({ ResourceArn }));
  else await wafv2.send(new AssociateWebACLCommand({ ResourceArn, WebACLArn: after.webAclArn }));
}
