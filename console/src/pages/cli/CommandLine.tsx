import Header from '@cloudscape-design/components/header';

import { usePage } from '../../shell/page';

export default function CommandLine() {
  usePage('CLI settings');
  return <Header variant="h1">CLI settings</Header>;
}
