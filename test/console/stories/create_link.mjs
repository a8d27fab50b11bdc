import { equal, signIn, story, told, usable } from './story.mjs';
import { go, untilRunning } from './wizard.mjs';

// A link from the page of a public image opens the wizard filled in, through the sign-in.
await story(async (page) => {
  await signIn(page, `/services/create?image=${encodeURIComponent(told.image)}`);
  await page.getByRole('button', { name: 'Region: us-east-1' }).click();
  await page.getByRole('menuitemcheckbox', { name: /eu-west-1/ }).click();
  await page.getByRole('button', { name: 'Region: eu-west-1' }).waitFor();
  equal('the provider', await page.getByRole('radio', { name: /^Amazon ECR Public/ }).isChecked(), true);
  equal('the image', await page.getByLabel('Container image URI').inputValue(), told.image);
  await usable(page, 'source');
  await go(page, 'Next', 'Configure service');
  await page.getByLabel('Service name').fill(told.service);
  await page.getByLabel('Port').fill('9090');
  await go(page, 'Next', 'Review and create');
  await page.getByRole('button', { name: 'Create & deploy' }).click();
  const domain = await untilRunning(page, told.service);
  equal('the region of the default domain', new URL(domain).hostname.split('.')[1], 'eu-west-1');
});
