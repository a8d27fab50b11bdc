import ButtonDropdown, { type ButtonDropdownProps } from '@cloudscape-design/components/button-dropdown';
import Box from '@cloudscape-design/components/box';
import Container from '@cloudscape-design/components/container';
import Header from '@cloudscape-design/components/header';
import StatusIndicator from '@cloudscape-design/components/status-indicator';
import { useMemo, useState } from 'react';

import { Chart } from './Chart';
import { FigureTable } from './FigureTable';
import { type Figures, linesOf } from './figures';
import { type Graph, hasBars, statWord } from './graph';
import { periodWords, type Window } from './window';

/** Something that can be done with a graph, beside what all of them offer. */
export interface GraphAction {
  id: string;
  text: string;
  act: () => void;
}

interface Props {
  graph: Graph;
  figures: Figures | undefined;
  actions: readonly GraphAction[];
  /** Of the plot, in pixels. */
  height?: number;
}

const table = 'table';

/** A graph in its frame, which is turned into a table for those who would rather read. */
export function GraphBox({ graph, figures, actions, height = 200 }: Props) {
  const [asTable, setAsTable] = useState(false);
  const items: ButtonDropdownProps.Item[] = [{ id: table, text: asTable ? 'Show as graph' : 'Show as table' }, ...actions.map(({ id, text }) => ({ id, text }))];
  const act = (id: string) => {
    if (id === table) setAsTable(!asTable);
    else actions.find((action) => action.id === id)?.act();
  };
  return (
    <Container
      fitHeight
      header={
        <Header
          variant="h2"
          {...(figures ? { description: describe(graph, figures.window) } : {})}
          actions={
            <ButtonDropdown variant="icon" ariaLabel={`Actions for ${graph.title}`} items={items} expandToViewport onItemClick={({ detail }) => { act(detail.id); }} />
          }
        >
          {graph.title}
        </Header>
      }
    >
      {figures ? <Content graph={graph} figures={figures} asTable={asTable} height={height} /> : <Box textAlign="center" padding="xxl"><StatusIndicator type="loading">Loading</StatusIndicator></Box>}
    </Container>
  );
}

function Content({ graph, figures, asTable, height }: { graph: Graph; figures: Figures; asTable: boolean; height: number }) {
  const lines = useMemo(() => linesOf(graph.series, figures), [graph, figures]);
  if (asTable) return <FigureTable title={graph.title} lines={lines} />;
  return <Chart title={graph.title} lines={lines} window={figures.window} bars={hasBars(graph)} stacked={graph.stacked} height={height} />;
}

/** "Sum of every 5 minutes"; where statistics differ, the lines are called by them. */
function describe({ series }: Graph, window: Window): string {
  const stats = new Set(series.map(({ of }) => ('stat' in of ? of.stat : '')));
  const [only = ''] = stats;
  const every = periodWords(window.period);
  if (stats.size > 1 || only === '') return `Of every ${every}`;
  const word = statWord(only);
  return `${word.charAt(0).toUpperCase()}${word.slice(1)} of every ${every}`;
}
