import { describe, expect, it } from 'vitest';

import { graphsOf, named } from '../metrics/service';
import { type Body, checkName, graphOf, inOrder, readBody, type Widget, withGraphs, without } from './body';

const metric = (metrics: unknown[][], properties: object = {}): Widget => ({ type: 'metric', properties: { ...properties, metrics } });

describe('the text of a dashboard', () => {
  it('may have no widgets yet', () => {
    expect(readBody('{}')).toEqual({ widgets: [] });
  });

  it.each([
    ['{', /is not JSON/],
    ['[]', /no JSON object/],
    ['null', /no JSON object/],
    ['{"widgets": {}}', /"widgets" of the dashboard is no list/],
  ])('%s is refused', (text, reason) => {
    expect(() => readBody(text)).toThrow(reason);
  });

  it('keeps what the console does not know', () => {
    const text = '{"start":"-PT3H","widgets":[{"type":"alarm","properties":{"alarms":["a"]}}]}';
    const body = withGraphs(readBody(text), [], 'us-east-1');
    expect(JSON.parse(JSON.stringify(body))).toEqual(JSON.parse(text));
  });
});

describe('a graph that is added', () => {
  const [requests, responses, latency] = graphsOf({ ServiceName: 'shop', ServiceId: '01' }).map((g) => named(g, 'shop'));
  if (!requests || !responses || !latency) throw new Error('a service has graphs');

  it('is spelt as CloudWatch wants it', () => {
    expect(withGraphs({ widgets: [] }, [requests], 'eu-west-1').widgets).toEqual([{
      type: 'metric', x: 0, y: 0, width: 12, height: 6,
      properties: {
        title: 'shop: Requests', region: 'eu-west-1', view: 'timeSeries', stacked: false,
        metrics: [['AWS/AppRunner', 'Requests', 'ServiceName', 'shop', 'ServiceID', '01', { stat: 'Sum', label: 'Requests' }]],
      },
    }]);
  });

  it('goes beneath what is there, two in a row', () => {
    const before: Body = { widgets: [{ type: 'text', x: 0, y: 4, width: 24, height: 3 }, { type: 'text', x: 0, y: 0 }] };
    const places = withGraphs(before, [requests, responses, latency], 'eu-west-1').widgets.slice(2).map(({ x, y }) => [x, y]);
    expect(places).toEqual([[0, 7], [12, 7], [0, 13]]);
  });

  it('is read back as it was', () => {
    for (const graph of [requests, responses, latency]) {
      const [widget] = withGraphs({ widgets: [] }, [graph], 'eu-west-1').widgets;
      const back = graphOf(widget as Widget, undefined);
      expect(back.title).toBe(graph.title);
      expect(back.stacked).toBe(graph.stacked);
      expect(back.series.map(({ label, of }) => ({ label, of }))).toEqual(graph.series.map(({ label, of }) => ({ label, of })));
    }
  });

  it('can be taken away again', () => {
    const body = withGraphs({ widgets: [{ type: 'text' }] }, [requests], 'eu-west-1');
    expect(without(body, body.widgets[1] as Widget).widgets).toEqual([{ type: 'text' }]);
  });
});

describe('the metrics of a widget', () => {
  it('may leave out what the metric before says too', () => {
    const graph = graphOf(metric([
      ['AWS/AppRunner', 'Requests', 'ServiceName', 'shop', 'ServiceID', '01'],
      ['.', '4xxStatusResponses', '.', '.', '.', '.'],
      ['...', 'ServiceName', 'blog', 'ServiceID', '02', { stat: 'Sum' }],
      ['...', '03'],
    ]), undefined);
    expect(graph.series.map(({ of }) => of)).toEqual([
      { namespace: 'AWS/AppRunner', name: 'Requests', dimensions: [{ Name: 'ServiceName', Value: 'shop' }, { Name: 'ServiceID', Value: '01' }], stat: 'Average' },
      { namespace: 'AWS/AppRunner', name: '4xxStatusResponses', dimensions: [{ Name: 'ServiceName', Value: 'shop' }, { Name: 'ServiceID', Value: '01' }], stat: 'Average' },
      { namespace: 'AWS/AppRunner', name: '4xxStatusResponses', dimensions: [{ Name: 'ServiceName', Value: 'blog' }, { Name: 'ServiceID', Value: '02' }], stat: 'Sum' },
      { namespace: 'AWS/AppRunner', name: '4xxStatusResponses', dimensions: [{ Name: 'ServiceName', Value: 'blog' }, { Name: 'ServiceID', Value: '03' }], stat: 'Average' },
    ]);
  });

  it('may be calculated, from ones that are not drawn', () => {
    const graph = graphOf(metric([[{ expression: 'm/2', label: 'Half', id: 'e' }], ['N', 'M', { id: 'm', visible: false, stat: 'p90' }]], { stat: 'Sum' }), undefined);
    expect(graph.series).toEqual([
      { id: 'e', label: 'Half', hidden: false, of: { expression: 'm/2' } },
      { id: 'm', label: 'M', hidden: true, of: { namespace: 'N', name: 'M', dimensions: [], stat: 'p90' } },
    ]);
  });

  it('keep their own periods only where the dashboard says so', () => {
    const widget = metric([['N', 'M', { period: 60 }], ['N', 'O'], ['N', 'P']], { period: 900 });
    expect(graphOf(widget, 'auto').series.map((s) => s.period)).toEqual([undefined, undefined, undefined]);
    expect(graphOf(widget, 'inherit').series.map((s) => s.period)).toEqual([60_000, 900_000, 900_000]);
  });

  it.each([[{ type: 'metric' }], [metric([])], [metric([[]])]])('may be missing: %o', (widget) => {
    expect(() => graphOf(widget, undefined)).not.toThrow();
  });
});

it('widgets are read row by row', () => {
  const at = (x: number, y: number) => ({ type: 'text', x, y });
  expect(inOrder([at(0, 6), at(12, 0), at(0, 0)])).toEqual([at(0, 0), at(12, 0), at(0, 6)]);
});

it.each([['', false], ['a b', false], ['a'.repeat(256), false], ['Shop-1_x', true], ['taken', false]])('the name %o', (name, fine) => {
  expect(checkName(name, ['taken']) === undefined).toBe(fine);
});
