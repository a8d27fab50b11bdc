import { createEndpoint, editNetworking, pick } from './networks.mjs';
import { equal, signIn, story, told, usable } from './story.mjs';

await story(async (page) => {
  const row = page.getByRole('row', { name: /shop-door/ });
  const settled = () => page.getByText('Running', { exact: true }).first().waitFor({ timeout: 120_000 });
  const incoming = async () => {
    await page.getByRole('link', { name: 'Incoming traffic' }).click();
    await page.getByRole('heading', { name: /^Incoming traffic/, level: 1 }).waitFor();
  };

  // The service is public; its configuration offers a private endpoint, and the endpoint is made on the way.
  await signIn(page, `/services/${encodeURIComponent(told.service)}/configuration`);
  await page.getByText('Public endpoint').waitFor();
  await editNetworking(page);
  equal('public at first', await page.getByRole('radio', { name: /^Public endpoint/ }).isChecked(), true);
  await page.getByRole('radio', { name: /^Private endpoint/ }).check();
  await page.getByRole('button', { name: 'Save changes' }).click();
  await page.getByText('Choose a VPC interface endpoint').waitFor();
  await usable(page, 'none-chosen');
  await page.getByRole('button', { name: 'Create new endpoint' }).click();
  const create = page.getByRole('dialog', { name: 'Create VPC interface endpoint' });
  await create.getByRole('button', { name: 'Create' }).click();
  await create.getByText('A name is required.').waitFor();
  await create.getByText('Choose a VPC.').waitFor();
  await createEndpoint(page, 'shop-door', 'shop');
  await usable(page, 'create');
  await create.getByRole('button', { name: 'Create' }).click();
  await page.getByText(/The VPC interface endpoint shop-door \(vpce-[0-9a-f]+\) was created/).waitFor();
  await page.getByRole('button', { name: /^VPC interface endpoint shop-door/ }).waitFor();
  await usable(page, 'chosen');
  await page.getByRole('button', { name: 'Save changes' }).click();
  await settled();
  await page.getByText('Available', { exact: true }).waitFor({ timeout: 120_000 });
  await page.getByText(told.vpc.ID, { exact: true }).waitFor();
  await usable(page, 'joined');

  // The endpoint is listed with its service, gets another subnet, and is not deleted.
  await incoming();
  await row.getByRole('link', { name: 'inner' }).waitFor();
  await row.getByRole('radio').check();
  await usable(page, 'list');
  await page.getByRole('button', { name: 'Edit' }).click();
  const edit = page.getByRole('dialog', { name: 'Edit VPC interface endpoint' });
  equal('the name', await edit.getByLabel('Name', { exact: true }).isDisabled(), true);
  equal('the VPC', await edit.getByRole('button', { name: /^VPC/ }).isDisabled(), true);
  await pick(edit, 'Subnets', 'shop-us-east-1b');
  await usable(page, 'edit');
  await edit.getByRole('button', { name: 'Save changes' }).click();
  await page.getByText('The VPC interface endpoint shop-door was updated.').waitFor();
  equal('subnets', await row.getByRole('cell').nth(3).innerText(), '2');
  await page.getByRole('button', { name: 'Delete' }).click();
  const refused = page.getByRole('dialog', { name: 'Cannot delete VPC interface endpoint' });
  await refused.getByRole('link', { name: 'inner' }).waitFor();
  await usable(page, 'refused');

  // From there to the service, which becomes public: the console ends the ingress connection by itself.
  await refused.getByRole('link', { name: 'inner' }).click();
  await page.getByRole('tab', { name: 'Configuration' }).click();
  await editNetworking(page);
  await page.getByRole('radio', { name: /^Public endpoint/ }).check();
  await page.getByRole('button', { name: 'Save changes' }).click();
  await page.getByText('Public endpoint', { exact: true }).waitFor({ timeout: 120_000 });
  await settled();

  // The endpoint is still there; now it can go.
  await incoming();
  await row.getByText('None').waitFor();
  await row.getByRole('radio').check();
  await page.getByRole('button', { name: 'Delete' }).click();
  const confirm = page.getByRole('dialog', { name: 'Delete VPC interface endpoint' });
  await confirm.getByRole('button', { name: 'Delete' }).click();
  await page.getByText('The VPC interface endpoint shop-door is being deleted.').waitFor();
  await row.waitFor({ state: 'hidden' });
});
