import type { Service } from '@aws-sdk/client-apprunner';
import Button from '@cloudscape-design/components/button';
import Container from '@cloudscape-design/components/container';
import Grid from '@cloudscape-design/components/grid';
import Header from '@cloudscape-design/components/header';
import SpaceBetween from '@cloudscape-design/components/space-between';
import { useMemo, useState } from 'react';

import { ErrorAlert } from '../../shell/ErrorAlert';
import { InfoLink } from '../../shell/page';
import { AddToDashboard } from './AddToDashboard';
import { useFigures } from './figures';
import type { Graph } from './graph';
import { GraphBox } from './GraphBox';
import { help } from './help';
import { RangeChoice } from './RangeChoice';
import { Refresher } from './Refresher';
import { graphsOf, named } from './service';
import { useView } from './view';

const part = { colspan: { default: 12, xs: 6, l: 4 } };

/** The metrics of a service as graphs. */
export function MetricsTab({ service: { ServiceName: name, ServiceId: id } }: { service: Service }) {
  const graphs = useMemo(() => graphsOf({ ServiceName: name, ServiceId: id }), [name, id]);
  const series = useMemo(() => graphs.flatMap((graph) => graph.series), [graphs]);
  const { range, setRange, every, setEvery } = useView();
  const { data, error, refetch, isFetching } = useFigures({ series, range, every });
  const [adding, setAdding] = useState<readonly Graph[]>();
  const refresh = () => { void refetch(); };
  return (
    <SpaceBetween size="l">
      <Container
        header={
          <Header
            variant="h2" info={<InfoLink help={help} about="metrics" />}
            actions={
              <SpaceBetween direction="horizontal" size="xs">
                <Button onClick={() => { setAdding(graphs.map((graph) => named(graph, name))); }}>Add all to dashboard</Button>
                <Refresher every={every} change={setEvery} refresh={refresh} busy={isFetching} />
              </SpaceBetween>
            }
          >
            Metrics
          </Header>
        }
      >
        <RangeChoice range={range} change={setRange} />
      </Container>
      {error && <ErrorAlert header={data ? 'This may be out of date: the metrics cannot be read' : 'The metrics cannot be read'} error={error} retry={refresh} />}
      {(data || !error) && (
        <Grid gridDefinition={graphs.map(() => part)}>
          {graphs.map((graph) => (
            <GraphBox
              key={graph.title} graph={graph} figures={data}
              actions={[{ id: 'add', text: 'Add to dashboard', act: () => { setAdding([named(graph, name)]); } }]}
            />
          ))}
        </Grid>
      )}
      {adding && <AddToDashboard graphs={adding} close={() => { setAdding(undefined); }} />}
    </SpaceBetween>
  );
}
