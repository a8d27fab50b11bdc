import Header from '@cloudscape-design/components/header';

import { usePage } from '../../shell/page';

export default function Incoming() {
  usePage('Incoming traffic');
  return <Header variant="h1">Incoming traffic</Header>;
}
