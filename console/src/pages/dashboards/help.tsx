import type { Help } from '../../shell/page';

export const help: Help = {
  header: 'Dashboards',
  content: (
    <>
      <p>A dashboard shows graphs of several services beside each other. The Metrics tab of a service adds graphs to one.</p>
      <p>They are those of the CloudWatch API, and a dashboard&apos;s source is the text that <code>aws cloudwatch get-dashboard</code> gives and <code>put-dashboard</code> takes: its widgets, where they are, how large, and which metrics they draw.</p>
      <p>Graphs over time, single values, tables and texts are shown. A widget of another kind says what it is.</p>
    </>
  ),
};
