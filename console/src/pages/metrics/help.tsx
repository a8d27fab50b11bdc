import type { Help } from '../../shell/page';

export const help: Help = {
  header: 'Metrics',
  content: (
    <>
      <p>What the service does, minute by minute. Longer times are drawn in longer periods; below each title stands which. The minute that runs is not complete yet.</p>
      <dl>
        <dt>Requests, responses by status</dt>
        <dd>Requests that were received, and answers of the classes 2xx, 4xx and 5xx.</dd>
        <dt>Request latency</dt>
        <dd>How long requests took. p95 is the time that 95 of 100 requests did not exceed.</dd>
        <dt>Active instances</dt>
        <dd>Instances that had requests; 0 without any.</dd>
        <dt>Concurrency</dt>
        <dd>Requests in progress at the same time, which decides when instances are added.</dd>
        <dt>CPU and memory utilization</dt>
        <dd>Percent of what the configuration gives an instance: the average of all, and the highest.</dd>
      </dl>
      <p>A service that is paused has no metrics. Those of single instances, and alarms, are in the CloudWatch API: namespace <code>AWS/AppRunner</code>.</p>
      <p>Every graph can be shown as a table, and added to a dashboard.</p>
    </>
  ),
};
