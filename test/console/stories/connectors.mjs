import { pickByKeys, press, tabTo, type } from './keys.mjs';
import { editNetworking, pick } from './networks.mjs';
import { signIn, story, told, usable } from './story.mjs';

const create = async (page, name) => {
  const dialog = page.getByRole('dialog', { name: 'Create VPC connector' });
  await dialog.getByLabel('VPC connector name').fill(name);
  await pick(dialog, 'VPC', 'data');
  await pick(dialog, 'Subnets', 'data-us-east-1a', 'data-us-east-1b');
  await pick(dialog, 'Security groups', 'data-https');
  return dialog;
};

await story(async (page) => {
  await signIn(page, '/networking/outgoing');
  await page.getByText('No VPC connectors').waitFor();
  await usable(page, 'none');

  // By keyboard alone.
  const dialog = page.getByRole('dialog', { name: 'Create VPC connector' });
  const list = (label) => dialog.getByRole('button', { name: new RegExp(`^${label}`) });
  await press(page, page.getByRole('button', { name: 'Create VPC connector' }).first());
  await type(page, dialog.getByLabel('VPC connector name'), 'gone');
  await pickByKeys(page, list('VPC'), 'data');
  await pickByKeys(page, list('Subnets'), 'data-us-east-1a');
  await pickByKeys(page, list('Security groups'), 'data-https');
  await usable(page, 'create');
  await press(page, dialog.getByRole('button', { name: 'Create' }));
  await page.getByText('The VPC connector gone was created.').waitFor();
  await tabTo(page, page.getByRole('radio', { name: 'gone' }));
  await page.keyboard.press('Space');
  await usable(page, 'list');

  // A service gets one that is made on the way.
  await page.goto(`${told.url}/console/services/${encodeURIComponent(told.service)}/configuration`);
  await editNetworking(page);
  await page.getByRole('radio', { name: /^Custom VPC/ }).check();
  await page.getByText('The internet is reached only where the VPC has a NAT gateway').waitFor();
  await page.getByRole('button', { name: 'Add new' }).click();
  await (await create(page, 'to-data')).getByRole('button', { name: 'Create' }).click();
  await page.getByRole('button', { name: /^VPC connector to-data/ }).waitFor();
  await page.getByText(told.vpc.Group).waitFor();
  await usable(page, 'chosen');
  await page.getByRole('button', { name: 'Save changes' }).click();
  await page.getByText('Custom VPC: to-data').waitFor();
  await page.getByText('Running', { exact: true }).first().waitFor({ timeout: 120_000 });

  // The one in use stays, the other goes.
  await page.getByRole('link', { name: 'Outgoing traffic' }).click();
  await page.getByRole('radio', { name: 'to-data' }).check();
  await page.getByRole('button', { name: 'Delete' }).click();
  const remove = page.getByRole('dialog', { name: 'Delete VPC connector' });
  await remove.getByRole('button', { name: 'Delete' }).click();
  await remove.getByText('InvalidRequestException').waitFor();
  await usable(page, 'in-use');
  await remove.getByRole('button', { name: 'Cancel' }).click();
  await page.getByRole('radio', { name: 'gone' }).check();
  await page.getByRole('button', { name: 'Delete' }).click();
  await remove.getByRole('button', { name: 'Delete' }).click();
  await page.getByText('The VPC connector gone was deleted.').waitFor();
});
