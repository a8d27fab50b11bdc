import type { CustomDomain, Service } from '@aws-sdk/client-apprunner';
import Box from '@cloudscape-design/components/box';
import Button from '@cloudscape-design/components/button';
import Cards from '@cloudscape-design/components/cards';
import Header from '@cloudscape-design/components/header';
import SpaceBetween from '@cloudscape-design/components/space-between';
import StatusIndicator from '@cloudscape-design/components/status-indicator';
import { useState } from 'react';

import { ErrorAlert } from '../../shell/ErrorAlert';
import { InfoLink } from '../../shell/page';
import { ConfigureDNS } from './ConfigureDNS';
import { domainStatus, mayUnlink, useDomains } from './domains';
import { help } from './help';
import { LinkDomain } from './LinkDomain';
import { UnlinkDomain } from './UnlinkDomain';

/** What is open beside the tiles. */
type Open = { what: 'link' } | { what: 'dns' | 'unlink'; domain: string };

/** The custom domains of a service as tiles, and what can be done with them. */
export function CustomDomainsTab({ service }: { service: Service }) {
  const arn = service.ServiceArn ?? '';
  const { data, error, isPending, refetch } = useDomains(arn);
  const [open, setOpen] = useState<Open>();
  const close = () => { setOpen(undefined); };
  if (error && !data) return <ErrorAlert header="The custom domains cannot be listed" error={error} retry={() => { void refetch(); }} />;
  if (open?.what === 'dns') {
    return <ConfigureDNS domain={data?.list.find((d) => d.DomainName === open.domain)} name={open.domain} domains={data} close={close} />;
  }
  return (
    <>
      <Cards
        items={data?.list ?? []}
        loading={isPending}
        loadingText="Loading custom domains"
        trackBy="DomainName"
        ariaLabels={{ itemSelectionLabel: (_, d) => d.DomainName ?? '', selectionGroupLabel: 'Custom domains', cardsLabel: 'Custom domains' }}
        header={
          <Header
            variant="h2" counter={data ? `(${String(data.list.length)})` : ''} info={<InfoLink help={help} about="custom domains" />}
            actions={<Button onClick={() => { setOpen({ what: 'link' }); }}>Link domain</Button>}
          >
            Custom domains
          </Header>
        }
        empty={<Box textAlign="center" padding="s"><Box variant="strong">No custom domains</Box><Box variant="p">The service answers at its default domain only.</Box></Box>}
        cardDefinition={{
          header: (d) => <Box variant="h3">{d.DomainName}</Box>,
          sections: [
            { id: 'status', content: (d) => { const { text, type } = domainStatus(d); return <StatusIndicator type={type}>{text}</StatusIndicator>; } },
            { id: 'www', content: (d) => (d.EnableWWWSubdomain ? `With www.${d.DomainName ?? ''}` : null) },
            { id: 'actions', content: (d) => <TileActions domain={d} open={(what) => { setOpen({ what, domain: d.DomainName ?? '' }); }} /> },
          ],
        }}
        cardsPerRow={[{ cards: 1 }, { minWidth: 700, cards: 2 }]}
      />
      {open?.what === 'link' && <LinkDomain serviceArn={arn} dismiss={close} linked={(domain) => { setOpen({ what: 'dns', domain }); }} />}
      {open?.what === 'unlink' && <UnlinkDomain serviceArn={arn} name={open.domain} close={close} />}
    </>
  );
}

function TileActions({ domain, open }: { domain: CustomDomain; open: (what: 'dns' | 'unlink') => void }) {
  const name = domain.DomainName ?? '';
  return (
    <SpaceBetween direction="horizontal" size="xs">
      <Button ariaLabel={`Configure DNS of ${name}`} onClick={() => { open('dns'); }}>Configure DNS</Button>
      <Button ariaLabel={`Unlink domain ${name}`} disabled={!mayUnlink(domain)} disabledReason="Wait until the operation in progress has ended." onClick={() => { open('unlink'); }}>Unlink domain</Button>
    </SpaceBetween>
  );
}
