import Header from '@cloudscape-design/components/header';

import { usePage } from '../../shell/page';

export default function AccessKeys() {
  usePage('Access keys');
  return <Header variant="h1">Access keys</Header>;
}
