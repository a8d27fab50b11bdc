import type { Help } from '../../shell/page';

export const help: Help = {
  header: 'CLI settings',
  content: (
    <>
      <p>Everything the console does are calls of the AWS APIs, and so the AWS CLI and the SDKs can do all of it.</p>
      <p>The settings here carry the temporary credentials of your session: whoever has them is you until they end. Do not put them into files that others can read.</p>
      <p>They have the rights you have, and their calls are recorded under your name.</p>
    </>
  ),
};
