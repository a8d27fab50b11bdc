import type { ServiceSummary } from '@aws-sdk/client-apprunner';
import Button from '@cloudscape-design/components/button';
import StatusIndicator, { type StatusIndicatorProps } from '@cloudscape-design/components/status-indicator';
import type { TableProps } from '@cloudscape-design/components/table';
import type { UseQueryResult } from '@tanstack/react-query';
import { useNavigate } from 'react-router';

import { DomainLink } from '../../parts/DomainLink';
import { RecordTable } from '../../parts/RecordTable';
import { RouteLink } from '../../parts/RouteLink';
import { InfoLink, usePage } from '../../shell/page';
import { serviceStatus } from '../../words/status';
import { shownTime } from '../../words/time';
import { help } from './help';
import { useServices } from './queries';

/** A service as it is shown. The filter looks at its fields, and so all of them are shown. */
class Row {
  readonly name: string;
  readonly status: string;
  readonly domain: string;
  readonly created: string;
  readonly updated: string;
  readonly #service: ServiceSummary;

  constructor(service: ServiceSummary) {
    this.#service = service;
    this.name = service.ServiceName ?? '';
    this.status = serviceStatus(service.Status).text;
    this.domain = service.ServiceUrl ?? '';
    this.created = shownTime(service.CreatedAt);
    this.updated = shownTime(service.UpdatedAt);
  }

  get service() { return this.#service; }
  get arn() { return this.#service.ServiceArn ?? ''; }
  get indicator(): StatusIndicatorProps.Type { return serviceStatus(this.#service.Status).type; }
}

const columns: TableProps.ColumnDefinition<Row>[] = [
  { id: 'name', header: 'Service name', isRowHeader: true, sortingField: 'name', cell: (row) => <RouteLink to={`/services/${encodeURIComponent(row.arn)}`}>{row.name}</RouteLink> },
  { id: 'status', header: 'Status', sortingField: 'status', cell: (row) => <StatusIndicator type={row.indicator}>{row.status}</StatusIndicator> },
  { id: 'domain', header: 'Default domain', sortingField: 'domain', cell: (row) => <DomainLink service={row.service} /> },
  { id: 'created', header: 'Created', sortingField: 'created', cell: (row) => row.created },
  { id: 'updated', header: 'Updated', sortingField: 'updated', cell: (row) => row.updated },
];

/** The account's services. */
export default function Services() {
  usePage('Services', [], help);
  const services = useServices();
  const rows = { ...services, data: services.data?.map((service) => new Row(service)) } as UseQueryResult<Row[]>;
  const navigate = useNavigate();
  const create = (variant: 'primary' | 'normal') => (
    <Button variant={variant} onClick={() => { void navigate('/services/create'); }}>Create service</Button>
  );
  return (
    <RecordTable
      title="Services" noun="service" nouns="services" info={<InfoLink help={help} about="services" />}
      query={rows} columns={columns} idOf={(row) => row.arn} nameOf={(row) => row.name} actions={create('primary')} start={create('normal')}
    />
  );
}
