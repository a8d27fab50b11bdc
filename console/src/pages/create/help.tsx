import type { Help } from '../../shell/page';
import type { Part } from '../service-form/checks';

/** What the help pane says about each step. */
export const helps: Readonly<Record<Part | 'review', Help>> = {
  source: {
    header: 'Source and deployment',
    content: (
      <>
        <p>A service runs a <b>container image</b>, or <b>source code</b> that is built first.</p>
        <p>Private images come from the registry of this installation; whoever pulls them needs the permissions for it: an access role, or you with manual deployment.</p>
        <p>Private repositories are read through a <b>connection</b>, which holds a credential of the provider.</p>
        <p>With the trigger <b>Automatic</b> each push of the tag or branch deploys a new version. Public images and those of other accounts are deployed by hand.</p>
      </>
    ),
  },
  build: {
    header: 'Configure build',
    content: (
      <>
        <p>Build and start settings are typed here, or read from <b>apprunner.yaml</b> in the source directory at each deployment. What comes from the file cannot be typed.</p>
        <p>The start command has to start a web server at the port, which the variable <b>PORT</b> tells.</p>
      </>
    ),
  },
  service: {
    header: 'Configure service',
    content: (
      <>
        <p>Only the name must be given. It cannot be changed later, nor can the encryption key.</p>
        <p>CPU and memory are those of each instance. <b>Auto scaling</b> says how many there are; the <b>health check</b> says which of them get requests.</p>
        <p>Environment variables hold plain values, or references to secrets that are read with the instance role whenever instances start for a new version.</p>
        <p><b>Beyond App Runner</b> holds what only Slipway has; other clients set the same by tags.</p>
      </>
    ),
  },
  review: {
    header: 'Review and create',
    content: <p>Nothing has been made so far. <b>Create &amp; deploy</b> makes the service, and the role and auto scaling configuration that are marked as new, and opens the service&apos;s dashboard.</p>,
  },
};
