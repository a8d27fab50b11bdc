import { signIn, story, usable } from './story.mjs';

await story(async (page) => {
  await signIn(page, '/networking/incoming');
  await page.getByText('The VPC interface endpoints cannot be listed').waitFor();
  await page.getByText('ec2:DescribeVpcEndpoints', { exact: true }).waitFor();
  await page.getByText('UnauthorizedOperation:').waitFor();
  await usable(page, 'denied');
});
