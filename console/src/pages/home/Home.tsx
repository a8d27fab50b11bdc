import Box from '@cloudscape-design/components/box';
import Button from '@cloudscape-design/components/button';
import ColumnLayout from '@cloudscape-design/components/column-layout';
import Container from '@cloudscape-design/components/container';
import ContentLayout from '@cloudscape-design/components/content-layout';
import Header from '@cloudscape-design/components/header';
import SpaceBetween from '@cloudscape-design/components/space-between';
import Spinner from '@cloudscape-design/components/spinner';
import { Navigate, useNavigate } from 'react-router';

import { RouteLink } from '../../parts/RouteLink';
import { usePage } from '../../shell/page';
import { PageError } from '../../shell/PageError';
import { help } from '../services/help';
import { useServices } from '../services/queries';

/** Where somebody arrives: the way to a first service, or the services. */
export default function Home() {
  usePage('Home', [], help);
  const { data: services, error, refetch } = useServices();
  if (error && !services) return <PageError header="The services cannot be listed" error={error} retry={() => { void refetch(); }} />;
  if (!services) return <Spinner size="large" />;
  if (services.length > 0) return <Navigate to="/services" replace />;
  return <Welcome />;
}

const steps = [
  { title: 'Say where it comes from', text: 'A source repository, or a container image. Deployments follow every push, or wait for you.' },
  { title: 'Say how it runs', text: 'Size, environment, health check, scaling. Every setting has a value that works.' },
  { title: 'Open it', text: 'The service gets an address with HTTPS. New versions take over without a failed request.' },
];

function Welcome() {
  const navigate = useNavigate();
  return (
    <ContentLayout
      header={
        <Header
          variant="h1"
          description="From a source repository or a container image to a running, TLS-served web application, on machines of your own."
          actions={<Button variant="primary" onClick={() => { void navigate('/services/create'); }}>Create an App Runner service</Button>}
        >
          App Runner
        </Header>
      }
    >
      <SpaceBetween size="l">
        <Container header={<Header variant="h2">How it works</Header>}>
          <ColumnLayout columns={3} variant="text-grid">
            {steps.map(({ title, text }, i) => (
              <div key={title}>
                <Box variant="h3" padding="n">{i + 1}. {title}</Box>
                <Box variant="p">{text}</Box>
              </div>
            ))}
          </ColumnLayout>
        </Container>
        <Container header={<Header variant="h2">Before you begin</Header>}>
          <ul>
            <li><RouteLink to="/connections">Connect a source code provider</RouteLink> to deploy from its repositories.</li>
            <li><RouteLink to="/cli">Set up the command line</RouteLink> to push images, or to work without this console.</li>
          </ul>
        </Container>
      </SpaceBetween>
    </ContentLayout>
  );
}
