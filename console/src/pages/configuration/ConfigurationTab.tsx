import { ListTagsForResourceCommand, type Service } from '@aws-sdk/client-apprunner';
import { GetWebACLForResourceCommand, type WAFV2Client } from '@aws-sdk/client-wafv2';
import Alert from '@cloudscape-design/components/alert';
import Button from '@cloudscape-design/components/button';
import Container from '@cloudscape-design/components/container';
import Header from '@cloudscape-design/components/header';
import SpaceBetween from '@cloudscape-design/components/space-between';
import Spinner from '@cloudscape-design/components/spinner';
import { useQuery } from '@tanstack/react-query';
import { useState, type ReactNode } from 'react';

import { useClients } from '../../aws/clients';
import { faultOf } from '../../aws/errors';
import { IngressDetails } from '../networking/IngressDetails';
import { ingressOf, isPublic } from '../networking/ingress';
import type { Part } from '../service-form/checks';
import { formOf, type ServiceForm } from '../service-form/form';
import { BuildSummary, NetworkingSummary, ServiceSummary, SourceSummary } from '../service-form/Summary';
import { EditPart } from './EditPart';
import { titles } from './sections';

/** The configuration of a service in three sections, each of which can be edited and saved on its own. */
export function ConfigurationTab({ service }: { service: Service }) {
  const { data: form, error } = useForm(service);
  const [editing, setEditing] = useState<Part>();
  if (error) return <Alert type="error" header="The configuration cannot be read">{error.message}</Alert>;
  if (!form) return <Spinner size="large" />;

  const section = (part: Part, summary: ReactNode) => (
    editing === part ? (
      <EditPart key={part} part={part} service={service} before={form} close={() => { setEditing(undefined); }} />
    ) : (
      <Shown key={part} title={titles[part]} refusal={whyNot(service, editing)} edit={() => { setEditing(part); }}>{summary}</Shown>
    )
  );
  return (
    <SpaceBetween size="l">
      {section('source', <SourceSummary form={form} />)}
      {form.kind === 'code' && section('build', <BuildSummary form={form} />)}
      {section('service', <ServiceSummary form={form} networking={<Networking form={form} serviceArn={service.ServiceArn ?? ''} />} />)}
    </SpaceBetween>
  );
}

/** The networking of a service that exists: the endpoint of a private one may still be on its way. */
function Networking({ form, serviceArn }: { form: ServiceForm; serviceArn: string }) {
  return (
    <SpaceBetween size="l">
      <NetworkingSummary form={form} />
      {!form.ingress.public && <IngressDetails serviceArn={serviceArn} />}
    </SpaceBetween>
  );
}

/** Why nothing can be edited now; undefined if it can. */
function whyNot(service: Service, editing: Part | undefined): string | undefined {
  if (editing) return 'Save or cancel the section that is being edited first.';
  if (service.Status === 'RUNNING' || service.Status === 'CREATE_FAILED') return undefined;
  return service.Status === 'PAUSED' ? 'Resume the service to edit its configuration.' : 'The configuration can be edited once the operation has ended.';
}

/** The service as the form shows it, with its tags and its web ACL. */
function useForm(service: Service) {
  const { apprunner, wafv2 } = useClients();
  const arn = service.ServiceArn ?? '';
  const usable = service.Status !== 'CREATE_FAILED' && service.Status !== 'DELETE_FAILED' && service.Status !== 'DELETED';
  const beside = useQuery({
    queryKey: ['service', arn, 'beside', usable],
    queryFn: async () => {
      const { Tags: tags } = await apprunner.send(new ListTagsForResourceCommand({ ResourceArn: arn }));
      const acl = usable ? await webAclOf(wafv2, arn) : '';
      const ingress = isPublic(service) ? undefined : (await ingressOf(apprunner, arn))?.IngressVpcConfiguration;
      return { tags: tags ?? [], acl, ingress };
    },
  });
  const data: ServiceForm | undefined = beside.data && formOf(service, beside.data.tags, beside.data.acl, beside.data.ingress);
  return { data, error: beside.error };
}

/** The web ACL in front of a service, "" if there is none; undefined for those who may look at App Runner only. */
async function webAclOf(wafv2: WAFV2Client, ResourceArn: string): Promise<string | undefined> {
  try {
    const { WebACL: acl } = await wafv2.send(new GetWebACLForResourceCommand({ ResourceArn }));
    return acl?.ARN ?? '';
  } catch (error) {
    if (faultOf(error).missing) return undefined;
    throw error;
  }
}

interface ShownProps {
  title: string;
  refusal: string | undefined;
  edit: () => void;
  children: ReactNode;
}

function Shown({ title, refusal, edit, children }: ShownProps) {
  const button = (
    <Button ariaLabel={`Edit ${title}`} disabled={refusal !== undefined} {...(refusal ? { disabledReason: refusal } : {})} onClick={edit}>
      Edit
    </Button>
  );
  return <Container header={<Header variant="h2" actions={button}>{title}</Header>}>{children}</Container>;
}
