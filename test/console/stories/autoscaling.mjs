import { equal, signIn, story, usable } from './story.mjs';

await story(async (page) => {
  const row = (name) => page.getByRole('row', { name });
  await signIn(page, '/autoscaling');
  await row(/DefaultConfiguration/).getByText('Default', { exact: true }).waitFor();
  await usable(page, 'list');

  await page.getByRole('button', { name: 'Create configuration' }).click();
  let dialog = page.getByRole('dialog', { name: 'Create auto scaling configuration' });
  await dialog.getByLabel('Configuration name').fill('busy');
  await dialog.getByLabel('Minimum size').fill('5');
  await dialog.getByLabel('Maximum size').fill('2');
  await dialog.getByRole('button', { name: 'Create' }).click();
  await dialog.getByText('minimum', { exact: false }).last().waitFor();
  await usable(page, 'wrong');
  await dialog.getByLabel('Minimum size').fill('1');
  await dialog.getByLabel('Concurrency').fill('30');
  await page.keyboard.press('Enter');
  await page.getByText('Revision 1 of busy was created.').waitFor();
  await row(/busy/).getByRole('link', { name: 'busy' }).click();
  await page.getByRole('heading', { name: 'busy', level: 1 }).waitFor();

  // The next revision begins with the settings of the chosen one.
  await page.getByRole('button', { name: 'Create revision' }).click();
  dialog = page.getByRole('dialog', { name: 'Create revision of busy' });
  equal('concurrency at first', await dialog.getByLabel('Concurrency').inputValue(), '30');
  await dialog.getByLabel('Concurrency').fill('40');
  await dialog.getByRole('button', { name: 'Create' }).click();
  await page.getByText('Revision 2 of busy was created.').waitFor();
  await row(/^Revision 2 2|Latest/).first().waitFor();

  await page.getByRole('radio', { name: 'Revision 2' }).check();
  await page.getByText('No service uses this revision.').waitFor();
  await usable(page, 'revisions');
  await page.getByRole('button', { name: 'Set as default' }).click();
  dialog = page.getByRole('dialog', { name: 'Set as default' });
  await dialog.getByRole('button', { name: 'Set as default' }).click();
  await page.getByText('The default is now busy, revision 2.').waitFor();

  // The default cannot be deleted: the API's own words say why.
  await page.getByRole('button', { name: 'Delete' }).click();
  dialog = page.getByRole('dialog', { name: 'Delete revision' });
  await dialog.getByRole('button', { name: 'Delete' }).click();
  await dialog.getByText('InvalidRequestException').waitFor();
  await usable(page, 'refused');
  await dialog.getByRole('button', { name: 'Cancel' }).click();
  await page.getByRole('radio', { name: 'Revision 1' }).check();
  await page.getByRole('button', { name: 'Delete' }).click();
  await dialog.getByRole('button', { name: 'Delete' }).click();
  await page.getByText('Deleted revision 1 of busy.').waitFor();

  await page.getByRole('link', { name: 'Auto scaling configurations' }).click();
  await page.getByRole('radio', { name: 'DefaultConfiguration' }).check();
  await page.getByRole('button', { name: 'Set as default' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Set as default' }).click();
  await page.getByText('The default is now DefaultConfiguration, revision 1.').waitFor();
  await page.getByRole('radio', { name: 'busy' }).check();
  await page.getByRole('button', { name: 'Delete' }).click();
  dialog = page.getByRole('dialog', { name: 'Delete auto scaling configuration' });
  await dialog.getByRole('button', { name: 'Delete' }).click();
  await page.getByText('Deleted all revisions of busy.').waitFor();
});
