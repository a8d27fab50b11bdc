import type { Help } from '../../shell/page';

export const help: Help = {
  header: 'Services',
  content: (
    <>
      <p>A service is a web application that runs here, built from a source repository or made of a container image.</p>
      <p>The name leads to its dashboard, the domain opens the application. The filter finds services by anything the list shows.</p>
      <dl>
        <dt>Running</dt>
        <dd>It serves.</dd>
        <dt>Operation in progress</dt>
        <dd>Something is being done with it; a service that ran before goes on serving meanwhile.</dd>
        <dt>Paused</dt>
        <dd>It has no instances until it is resumed.</dd>
        <dt>Create failed</dt>
        <dd>It never ran. Its deployment log tells why. Correct its configuration to try again, or delete it.</dd>
      </dl>
    </>
  ),
};
