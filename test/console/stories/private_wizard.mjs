import { createEndpoint } from './networks.mjs';
import { equal, signIn, story, told, usable } from './story.mjs';
import { go, unfold, untilRunning } from './wizard.mjs';

await story(async (page) => {
  await signIn(page, '/services/create');
  await page.getByLabel('Container image URI').fill(told.image);
  await page.getByRole('button', { name: /^Service role AppRunnerECRAccessRole/ }).waitFor();
  await go(page, 'Next', 'Configure service');
  await page.getByLabel('Service name').fill('vault-service');
  await unfold(page, 'Networking');
  equal('public at first', await page.getByRole('radio', { name: /^Public endpoint/ }).isChecked(), true);
  await page.getByRole('radio', { name: /^Private endpoint/ }).check();
  await page.getByRole('button', { name: 'Create new endpoint' }).click();
  const dialog = await createEndpoint(page, 'vault-door', 'vault');
  await dialog.getByRole('button', { name: 'Create' }).click();
  await page.getByRole('button', { name: /^VPC interface endpoint vault-door/ }).waitFor();
  await usable(page, 'chosen');
  await go(page, 'Next', 'Review and create');
  await page.getByText(/^vpce-[0-9a-f]+ in vpc-/).waitFor();
  await page.getByRole('button', { name: 'Create & deploy' }).click();
  await untilRunning(page, 'vault-service');
  await page.getByText(/vault-service is being joined to the VPC interface endpoint/).waitFor();
  await page.getByRole('tab', { name: 'Configuration' }).click();
  await page.getByText('Available', { exact: true }).waitFor({ timeout: 120_000 });

  // A service that is joined to an endpoint is deleted like any other: the console ends that first.
  await page.getByRole('button', { name: 'Actions' }).click();
  await page.getByRole('menuitem', { name: 'Delete' }).click();
  const remove = page.getByRole('dialog', { name: 'Delete vault-service?' });
  await remove.getByRole('textbox').fill('delete');
  await remove.getByRole('button', { name: 'Delete' }).click();
  await page.getByRole('heading', { name: /^Services/, level: 1 }).waitFor({ timeout: 120_000 });
  await page.getByRole('link', { name: 'vault-service' }).waitFor({ state: 'hidden', timeout: 120_000 });
});
