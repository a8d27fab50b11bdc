import Header from '@cloudscape-design/components/header';

import { usePage } from '../../shell/page';

export default function Services() {
  usePage('Services');
  return <Header variant="h1">Services</Header>;
}
