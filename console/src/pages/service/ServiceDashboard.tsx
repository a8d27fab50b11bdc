import type { Service } from '@aws-sdk/client-apprunner';
import ContentLayout from '@cloudscape-design/components/content-layout';
import SpaceBetween from '@cloudscape-design/components/space-between';
import Spinner from '@cloudscape-design/components/spinner';
import Tabs from '@cloudscape-design/components/tabs';
import { lazy, type ReactNode, Suspense } from 'react';
import { useNavigate, useParams } from 'react-router';

import { ErrorAlert } from '../../shell/ErrorAlert';
import { usePage } from '../../shell/page';
import { PageError } from '../../shell/PageError';
import { ActivityTab } from './ActivityTab';
import { DashboardHeader } from './DashboardHeader';
import { help } from './help';
import { LogsTab } from './LogsTab';
import { useOutcome } from './outcome';
import { Overview } from './Overview';
import { useService } from './queries';

const ConfigurationTab = lazy(async () => ({ default: (await import('../configuration/ConfigurationTab')).ConfigurationTab }));
const MetricsTab = lazy(async () => ({ default: (await import('../metrics/MetricsTab')).MetricsTab }));
const CustomDomainsTab = lazy(async () => ({ default: (await import('../domains/CustomDomainsTab')).CustomDomainsTab }));

const parents = [{ text: 'Services', href: '/services' }];

/** Everything about one service. */
export default function ServiceDashboard() {
  const { arn = '', tab = 'logs' } = useParams();
  const { data: service, error, refetch } = useService(arn);
  usePage(service?.ServiceName ?? arn.split('/')[1] ?? 'Service', parents, help);
  if (!service) {
    return error ? <PageError header="The service cannot be shown" error={error} retry={() => { void refetch(); }} /> : <Spinner size="large" />;
  }
  return <Dashboard service={service} tab={tab} error={error} retry={() => { void refetch(); }} />;
}

interface Props {
  service: Service;
  tab: string;
  /** Why it could not be brought up to date. */
  error: unknown;
  retry: () => void;
}

function Dashboard({ service, tab, error, retry }: Props) {
  useOutcome(service);
  return (
    <ContentLayout header={<DashboardHeader service={service} />}>
      <SpaceBetween size="l">
        {error ? <ErrorAlert header="This may be out of date: the service cannot be asked for" error={error} retry={retry} /> : null}
        <Overview service={service} />
        <ServiceTabs service={service} tab={tab} />
      </SpaceBetween>
    </ContentLayout>
  );
}

function ServiceTabs({ service, tab }: { service: Service; tab: string }) {
  const navigate = useNavigate();
  const later = (content: ReactNode) => <Suspense fallback={<Spinner />}>{content}</Suspense>;
  return (
    <Tabs
      ariaLabel="About this service"
      activeTabId={tab}
      onChange={({ detail }) => { void navigate(`/services/${encodeURIComponent(service.ServiceArn ?? '')}/${detail.activeTabId}`, { replace: true, preventScrollReset: true }); }}
      tabs={[
        { id: 'logs', label: 'Logs', content: <LogsTab service={service} /> },
        { id: 'activity', label: 'Activity', content: <ActivityTab service={service} /> },
        { id: 'metrics', label: 'Metrics', content: later(<MetricsTab service={service} />) },
        { id: 'configuration', label: 'Configuration', content: later(<ConfigurationTab service={service} />) },
        { id: 'domains', label: 'Custom domains', content: later(<CustomDomainsTab service={service} />) },
      ]}
    />
  );
}
