import BarChart from '@cloudscape-design/components/bar-chart';
import Box from '@cloudscape-design/components/box';
import LineChart from '@cloudscape-design/components/line-chart';
import { useLayoutEffect, useMemo, useRef, useState } from 'react';

import { shownTime } from '../../words/time';
import { barsFit, type Line, type Point, shownFigure, shownTick, summaryOf, topOf } from './graph';
import { periodsOf, type Window } from './window';

interface Props {
  title: string;
  lines: readonly Line[];
  window: Window;
  bars: boolean;
  stacked: boolean;
  /** Of the plot, in pixels. */
  height: number;
}

/** Lines over time. Where bars are too thin to be seen, lines are drawn in their place. */
export function Chart({ bars, ...props }: Props) {
  const [width, box] = useWidth();
  const fit = bars && width !== undefined && barsFit(periodsOf(props.window).length, width);
  return <div ref={box}>{width !== undefined && <Plot bars={fit} {...props} />}</div>;
}

/** The width of an element, in pixels, as long as it is there. */
function useWidth() {
  const [width, setWidth] = useState<number>();
  const box = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return undefined;
    const observer = new ResizeObserver(() => { setWidth(element.clientWidth); });
    observer.observe(element);
    return () => { observer.disconnect(); };
  }, []);
  return [width, box] as const;
}

function Plot({ title, lines, window, bars, stacked, height }: Props) {
  const unit = lines[0]?.unit ?? '';
  const filled = useMemo(() => lines.filter(({ points }) => points.length > 0), [lines]);
  const drawn = useMemo(() => filled.map((line) => ({
    title: line.title,
    data: (bars ? line.points : visible(line.points, window)).map(({ at, value }) => ({ x: new Date(at), y: value })),
    valueFormatter: (value: number) => shownFigure(value, line.unit),
  })), [filled, bars, window]);
  const common = {
    ariaLabel: title, ariaDescription: summaryOf(lines), height, hideFilter: true, hideLegend: lines.length < 2,
    yDomain: [0, topOf(filled, stacked)], xTickFormatter: (at: Date) => tickOf(at, window), yTickFormatter: (value: number) => shownTick(value, unit),
    empty: <Empty />, noMatch: <Empty />,
  };
  if (bars) {
    const xDomain = filled.length === 0 ? [] : periodsOf(window).map((at) => new Date(at));
    return <BarChart {...common} series={drawn.map((line) => ({ type: 'bar' as const, ...line }))} xScaleType="categorical" xDomain={xDomain} stackedBars={stacked} />;
  }
  return (
    <LineChart
      {...common} series={drawn.map((line) => ({ type: 'line' as const, ...line }))} xScaleType="time"
      xDomain={[new Date(window.start), new Date(window.end)]}
    />
  );
}

/** A single point is drawn as long as its period is, as a line needs two. */
function visible(points: readonly Point[], { period }: Window): readonly Point[] {
  const [only, ...others] = points;
  return only && others.length === 0 ? [only, { ...only, at: only.at + period }] : points;
}

const day = 24 * 60 * 60 * 1000;

/** A moment at the axis: without what goes without saying. */
function tickOf(at: Date, { start, end }: Window): string {
  const text = shownTime(at);
  return end - start <= day ? text.slice(11, 16) : `${text.slice(5, 10)}\n${text.slice(11, 16)}`;
}

function Empty() {
  return (
    <Box textAlign="center" color="inherit">
      <Box variant="strong" color="inherit">No data</Box>
      <Box variant="p" color="inherit">Nothing was measured in this time.</Box>
    </Box>
  );
}
