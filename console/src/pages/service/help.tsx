import type { Help } from '../../shell/page';

export const help: Help = {
  header: 'Service dashboard',
  content: (
    <>
      <p>One service: what it is doing, what it printed, what was done with it, and how it is configured.</p>
      <h3>Deploy and Actions</h3>
      <dl>
        <dt>Deploy</dt>
        <dd>Fetches the source again, builds or pulls it, and puts it in the place of what runs, once it is healthy.</dd>
        <dt>Pause</dt>
        <dd>Takes all instances away. The address, the configuration and the custom domains stay.</dd>
        <dt>Resume</dt>
        <dd>Starts the version that was paused again, under the same address.</dd>
        <dt>Delete</dt>
        <dd>Takes the service away for good. Its logs stay.</dd>
      </dl>
      <p>What the present status does not allow is off; the reason is shown with it. While an operation is in progress the application goes on serving.</p>
      <h3>Health</h3>
      <p>Instances that fail their health checks are replaced. The health is that of the last ten minutes, from the event log.</p>
    </>
  ),
};
