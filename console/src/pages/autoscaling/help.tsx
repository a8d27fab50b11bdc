import type { Help } from '../../shell/page';

export const help: Help = {
  header: 'Auto scaling',
  content: (
    <>
      <p>An auto scaling configuration says how a service scales. Several services can share one, and still scale on their own.</p>
      <dl>
        <dt>Concurrency</dt>
        <dd>Requests at once that one instance handles. With more, another instance takes part.</dd>
        <dt>Minimum size</dt>
        <dd>Provisioned instances at all times. Those that nobody needs at the moment stand by.</dd>
        <dt>Maximum size</dt>
        <dd>Most instances that serve.</dd>
      </dl>
      <p>
        Revisions never change: creating one with a name that exists makes the next revision. A service keeps its revision until it is
        updated. Services that name no configuration get the <b>default</b> one when they are created.
      </p>
    </>
  ),
};
