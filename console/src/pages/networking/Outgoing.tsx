import Header from '@cloudscape-design/components/header';

import { usePage } from '../../shell/page';

export default function Outgoing() {
  usePage('Outgoing traffic');
  return <Header variant="h1">Outgoing traffic</Header>;
}
