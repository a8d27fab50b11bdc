import type { Graph, Metric, Series } from '../metrics/graph';

/** A dashboard as CloudWatch keeps it: a text in JSON. Members that the console does not know stay as they are. */
export interface Body {
  widgets: readonly Widget[];
  /** With "inherit", graphs keep their own periods; else the period follows the time that is shown. */
  periodOverride?: string;
}

/** One thing on a dashboard. A dashboard is 24 units wide. */
export interface Widget {
  type: string;
  x?: number;
  y?: number;
  width?: number;
  height?: number;
  properties?: Properties;
}

interface Properties {
  title?: string;
  region?: string;
  view?: string;
  stacked?: boolean;
  stat?: string;
  /** Seconds. */
  period?: number;
  /** Namespace, name, names and values of dimensions, and options; or options with an expression alone. */
  metrics?: readonly (readonly unknown[])[];
  /** The text of a text widget. */
  markdown?: string;
}

/** What stands last in a metric of a widget. */
interface Options {
  id?: string;
  label?: string;
  stat?: string;
  period?: number;
  visible?: boolean;
  expression?: string;
}

/** The sizes of a widget that says none, as CloudWatch has them. */
export const usual = { width: 6, height: 6 };

/** The rule for the names of dashboards; undefined if a name holds to it. */
export function checkName(name: string, others: readonly string[] = []): string | undefined {
  if (!/^[A-Za-z0-9_-]{1,255}$/.test(name)) return `${JSON.stringify(name)} is not allowed; use 1 to 255 letters, digits, "-" and "_".`;
  return others.includes(name) ? 'There is a dashboard of this name.' : undefined;
}

/** Reads a dashboard; a text that is none is an error that says so. */
export function readBody(text: string): Body {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch (error) {
    throw new Error(`The dashboard is not JSON: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
  if (typeof body !== 'object' || body === null || Array.isArray(body)) throw new Error('The dashboard is no JSON object.');
  const { widgets = [] } = body as { widgets?: unknown };
  if (!Array.isArray(widgets)) throw new Error('"widgets" of the dashboard is no list.');
  return { ...body, widgets: widgets as Widget[] };
}

/** A dashboard with graphs more, two in a row beneath what is there. */
export function withGraphs(body: Body, graphs: readonly Graph[], region: string): Body {
  const below = Math.max(0, ...body.widgets.map(({ y = 0, height = usual.height }) => y + height));
  const added = graphs.map((graph, i): Widget => ({
    type: 'metric', x: (i % 2) * 12, y: below + Math.floor(i / 2) * 6, width: 12, height: 6,
    properties: { title: graph.title, region, view: 'timeSeries', stacked: graph.stacked, metrics: graph.series.map(metricOf) },
  }));
  return { ...body, widgets: [...body.widgets, ...added] };
}

/** A dashboard without one of its widgets. */
export function without(body: Body, widget: Widget): Body {
  return { ...body, widgets: body.widgets.filter((other) => other !== widget) };
}

function metricOf({ label, of }: Series): unknown[] {
  if ('expression' in of) return [{ expression: of.expression, label }];
  return [of.namespace, of.name, ...of.dimensions.flatMap(({ Name, Value }) => [Name, Value]), { stat: of.stat, label }];
}

/** The widgets as they are read: row by row. */
export function inOrder(widgets: readonly Widget[]): Widget[] {
  return [...widgets].sort((a, b) => (a.y ?? 0) - (b.y ?? 0) || (a.x ?? 0) - (b.x ?? 0));
}

/** The graph of a metric widget. */
export function graphOf({ properties = {} }: Widget, periodOverride: string | undefined): Graph {
  const series: Series[] = [];
  let before: readonly string[] = [];
  (properties.metrics ?? []).forEach((entry, i) => {
    const fields = spelled(entry.filter((field) => typeof field === 'string'), before);
    const options = (entry.find((field) => typeof field === 'object' && field !== null) ?? {}) as Options;
    if (fields.length > 0) before = fields;
    series.push(seriesOf(fields, options, properties, `q${String(i)}`, periodOverride === 'inherit'));
  });
  return { title: properties.title ?? series[0]?.label ?? 'Graph', series, stacked: properties.stacked ?? false };
}

/** The fields of a metric in full: "." stands for the field at the same place of the metric before, "..." for all up to the last ones. */
function spelled(fields: readonly string[], before: readonly string[]): readonly string[] {
  if (fields[0] !== '...') return fields.map((field, i) => (field === '.' ? before[i] ?? field : field));
  const rest = fields.slice(1);
  const kept = before.slice(0, Math.max(0, before.length - rest.length));
  return [...kept, ...rest.map((field, i) => (field === '.' ? before[kept.length + i] ?? field : field))];
}

function seriesOf(fields: readonly string[], options: Options, properties: Properties, id: string, own: boolean): Series {
  const common = {
    id: options.id ?? id, hidden: options.visible === false,
    ...(own ? { period: 1000 * (options.period ?? properties.period ?? 300) } : {}),
  };
  if (options.expression !== undefined) return { ...common, label: options.label ?? options.expression, of: { expression: options.expression } };
  const [namespace = '', name = '', ...rest] = fields;
  const dimensions = Array.from({ length: Math.floor(rest.length / 2) }, (_, i) => ({ Name: rest[2 * i], Value: rest[2 * i + 1] }));
  const of: Metric = { namespace, name, dimensions, stat: options.stat ?? properties.stat ?? 'Average' };
  return { ...common, label: options.label ?? name, of };
}
