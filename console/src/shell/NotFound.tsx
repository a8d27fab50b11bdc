import Box from '@cloudscape-design/components/box';
import Button from '@cloudscape-design/components/button';
import { useNavigate } from 'react-router';

import { usePage } from './page';

export function NotFound() {
  usePage('Page not found');
  const navigate = useNavigate();
  return (
    <Box textAlign="center" padding="xxl">
      <Box variant="h1" padding={{ bottom: 's' }}>There is no page at this address</Box>
      <Button onClick={() => { void navigate('/services'); }}>Go to Services</Button>
    </Box>
  );
}
