import Box from '@cloudscape-design/components/box';
import Button from '@cloudscape-design/components/button';
import Container from '@cloudscape-design/components/container';
import Header from '@cloudscape-design/components/header';
import KeyValuePairs from '@cloudscape-design/components/key-value-pairs';
import { type ReactNode, useMemo } from 'react';

import { ErrorAlert } from '../../shell/ErrorAlert';
import { type Figures, linesOf, useFigures } from '../metrics/figures';
import { FigureTable } from '../metrics/FigureTable';
import { type Graph, shownFigure } from '../metrics/graph';
import { GraphBox } from '../metrics/GraphBox';
import type { Range } from '../metrics/window';
import { graphOf, usual, type Widget } from './body';

export interface WidgetProps {
  widget: Widget;
  periodOverride: string | undefined;
  range: Range;
  every: number | false;
  remove: () => void;
}

/** One widget of a dashboard. */
export function WidgetBox(props: WidgetProps) {
  const { widget, remove } = props;
  switch (widget.type) {
    case 'metric': return <MetricWidget {...props} />;
    case 'text': return <Plain title="Text" remove={remove}><Box variant="p"><span style={{ whiteSpace: 'pre-wrap' }}>{widget.properties?.markdown}</span></Box></Plain>;
    default: return <Plain title={widget.properties?.title ?? widget.type} remove={remove}>Widgets of the type {JSON.stringify(widget.type)} are not shown here.</Plain>;
  }
}

function MetricWidget({ widget, periodOverride, range, every, remove }: WidgetProps) {
  const graph = useMemo(() => graphOf(widget, periodOverride), [widget, periodOverride]);
  const { data, error, refetch } = useFigures({ series: graph.series, range, every, region: widget.properties?.region });
  if (error && !data) {
    return <Plain title={graph.title} remove={remove}><ErrorAlert header="The metrics cannot be read" error={error} retry={() => { void refetch(); }} /></Plain>;
  }
  const view = widget.properties?.view ?? 'timeSeries';
  if (view !== 'timeSeries' && data) {
    return <Plain title={graph.title} remove={remove}>{view === 'table' ? <FigureTable title={graph.title} lines={linesOf(graph.series, data)} /> : <Latest graph={graph} figures={data} />}</Plain>;
  }
  const height = Math.max(100, ((widget.height ?? usual.height) - 2) * 50);
  return <GraphBox graph={graph} figures={data} height={height} actions={[{ id: 'remove', text: 'Remove', act: remove }]} />;
}

/** The newest figure of each series: what gauges, pies and single values are about. */
function Latest({ graph, figures }: { graph: Graph; figures: Figures }) {
  const lines = linesOf(graph.series, figures);
  return (
    <KeyValuePairs
      columns={Math.min(4, Math.max(1, lines.length))}
      items={lines.map(({ title, unit, points }) => {
        const last = points.at(-1);
        return { label: title, value: <Box variant="awsui-value-large">{last ? shownFigure(last.value, unit) : '–'}</Box> };
      })}
    />
  );
}

function Plain({ title, remove, children }: { title: string; remove: () => void; children: ReactNode }) {
  return (
    <Container fitHeight header={<Header variant="h2" actions={<Button variant="icon" iconName="close" ariaLabel={`Remove ${title}`} onClick={remove} />}>{title}</Header>}>
      {children}
    </Container>
  );
}
