import { describe, expect, it } from 'vitest';

import { barsFit, type Graph, hasBars, type Line, queriesOf, rowsOf, type Series, shownFigure, shownTick, summaryOf, topOf, unitOf } from './graph';
import { graphsOf, named } from './service';

const window = { start: 0, end: 3_600_000, period: 300_000 };

const series = (stat: string, name = 'Requests'): Series => ({ id: 'a', label: 'A', of: { namespace: 'N', name, dimensions: [], stat } });
const graph = (stacked: boolean, ...list: Series[]): Graph => ({ title: 'G', series: list, stacked });
const line = (title: string, ...values: number[]): Line => ({ title, unit: '', points: values.map((value, at) => ({ at, value })) });

describe('the graphs of a service', () => {
  const graphs = graphsOf({ ServiceName: 'shop', ServiceId: '0123' });
  const all = graphs.flatMap((g) => g.series);

  it('ask for every metric of services, as App Runner spells them', () => {
    const names = new Set(all.map(({ of }) => ('name' in of ? of.name : '')));
    expect([...names].sort()).toEqual([
      '2xxStatusResponses', '4xxStatusResponses', '5xxStatusResponses', 'ActiveInstances', 'CPUUtilization', 'Concurrency', 'MemoryUtilization',
      'RequestLatency', 'Requests',
    ]);
  });

  it('name the service as App Runner does', () => {
    expect(queriesOf(all.slice(0, 1), window)).toEqual([{
      Id: 'requests', Label: 'Requests', ReturnData: true,
      MetricStat: {
        Metric: { Namespace: 'AWS/AppRunner', MetricName: 'Requests', Dimensions: [{ Name: 'ServiceName', Value: 'shop' }, { Name: 'ServiceID', Value: '0123' }] },
        Stat: 'Sum', Period: 300,
      },
    }]);
  });

  it('have ids that CloudWatch takes, each once', () => {
    const ids = all.map((s) => s.id);
    for (const id of ids) expect(id).toMatch(/^[a-z][a-zA-Z0-9_]*$/);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('say whose they are on a dashboard', () => {
    expect(named(graphs[0] as Graph, 'shop').title).toBe('shop: Requests');
  });
});

describe('a query', () => {
  it('of an expression has no metric', () => {
    expect(queriesOf([{ id: 'e', label: 'E', of: { expression: 'a*2' } }], window)).toEqual([{ Id: 'e', Label: 'E', ReturnData: true, Expression: 'a*2', Period: 300 }]);
  });

  it('keeps a period of its own, and is not drawn when hidden', () => {
    expect(queriesOf([{ ...series('Sum'), period: 60_000, hidden: true }], window)[0]).toMatchObject({ ReturnData: false, MetricStat: { Period: 60 } });
  });
});

describe('bars', () => {
  it.each([
    ['one sum', graph(false, series('Sum')), true],
    ['parts of a whole', graph(true, series('Sum'), series('Sum')), true],
    ['an average', graph(false, series('Average')), false],
    ['two sums beside each other', graph(false, series('Sum'), series('Sum')), false],
    ['one sum, and what it is calculated from', graph(false, series('Sum'), { ...series('Sum'), hidden: true }), true],
    ['nothing', graph(false), false],
  ])('%s', (_, g, want) => {
    expect(hasBars(g)).toBe(want);
  });

  it('are too thin where there are many on a small screen', () => {
    expect(barsFit(60, 300)).toBe(true);
    expect(barsFit(96, 300)).toBe(false);
  });
});

describe('figures', () => {
  it.each([
    [1234.567, '', '1,234.57', '1.23K'],
    [12.345, 'ms', '12.35 ms', '12.35 ms'],
    [1500, 'ms', '1.5 s', '1.5 s'],
    [7.5, '%', '7.5 %', '7.5 %'],
    [0, '', '0', '0'],
  ] as const)('%d %s', (value, unit, figure, tick) => {
    expect(shownFigure(value, unit)).toBe(figure);
    expect(shownTick(value, unit)).toBe(tick);
  });

  it('have the unit of their metric, but a count of values has none', () => {
    expect(unitOf(series('p95', 'RequestLatency'))).toBe('ms');
    expect(unitOf(series('SampleCount', 'RequestLatency'))).toBe('');
    expect(unitOf(series('Maximum', 'CPUUtilization'))).toBe('%');
    expect(unitOf({ id: 'e', label: 'E', of: { expression: 'a' } })).toBe('');
  });
});

describe('lines', () => {
  it('are told in words', () => {
    expect(summaryOf([line('A', 3, 1, 2), line('B')])).toBe('A: latest 2, lowest 1, highest 3. B: no data.');
  });

  it('fit below the top, which stacked ones reach together', () => {
    expect(topOf([line('A', 10, 20), line('B', 30, 5)], false)).toBeCloseTo(31.5);
    expect(topOf([line('A', 10, 20), line('B', 30, 5)], true)).toBeCloseTo(42);
  });

  it.each([[[]], [[line('A', 0, 0)]]])('without height have a top too', (lines) => {
    expect(topOf(lines, false)).toBe(1);
  });

  it('are rows of a table, newest first, with gaps where nothing was measured', () => {
    const a: Line = { title: 'A', unit: '', points: [{ at: 1, value: 5 }, { at: 3, value: 6 }] };
    const b: Line = { title: 'B', unit: '', points: [{ at: 2, value: 7 }, { at: 3, value: 8 }] };
    expect(rowsOf([a, b])).toEqual([{ at: 3, values: [6, 8] }, { at: 2, values: [undefined, 7] }, { at: 1, values: [5, undefined] }]);
  });
});
