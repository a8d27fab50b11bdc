import type { Help } from '../../shell/page';

export const help: Help = {
  header: 'Logs',
  content: (
    <>
      <dl>
        <dt>Event log</dt>
        <dd>What happened to the service: changes of its status, operations, instances that were replaced.</dd>
        <dt>Deployment logs</dt>
        <dd>What each deployment did: fetching, building, starting, checking; and why it failed, if it did.</dd>
        <dt>Application logs</dt>
        <dd>What the application printed, all instances as one or each by itself.</dd>
      </dl>
      <p>The same logs are in CloudWatch Logs: <code>aws logs tail</code> follows them in a shell.</p>
    </>
  ),
};
