import Header from '@cloudscape-design/components/header';

import { usePage } from '../../shell/page';

export default function Home() {
  usePage('App Runner');
  return <Header variant="h1">App Runner</Header>;
}
