import Header from '@cloudscape-design/components/header';

import { usePage } from '../../shell/page';

export default function ServiceDashboard() {
  usePage('Service');
  return <Header variant="h1">Service</Header>;
}
