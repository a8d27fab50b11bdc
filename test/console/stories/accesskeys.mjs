import { readFile } from 'node:fs/promises';

import { equal, signIn, story, tell, told, usable } from './story.mjs';

await story(async (page) => {
  await signIn(page, '/keys');
  await page.getByText('No access keys').waitFor();
  await page.getByRole('button', { name: 'Create access key' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('button', { name: 'Create', exact: true }).click();
  await dialog.getByText('shown this once').waitFor();
  await usable(page, 'made');
  const [download] = await Promise.all([page.waitForEvent('download'), dialog.getByRole('button', { name: 'Download .csv file' }).click()]);
  equal('the file is called', download.suggestedFilename(), `${told.user}_accessKeys.csv`);
  const [head, line] = (await readFile(await download.path(), 'utf8')).split('\r\n');
  equal('the file begins with', head, 'Access key ID,Secret access key');
  const [id, secret] = line.split(',');
  await dialog.getByText(secret, { exact: true }).waitFor();
  await tell({ id, secret });

  await dialog.getByRole('button', { name: 'Close', exact: true }).last().click();
  await page.getByRole('row').filter({ hasText: id }).getByText('Active').waitFor();
  equal('the secret is gone', await page.getByText(secret).count(), 0);
  await page.reload();
  await page.getByRole('row').filter({ hasText: id }).waitFor();
  equal('the secret stays gone', await page.getByText(secret).count(), 0);
  await usable(page, 'keys');

  await page.getByRole('row').filter({ hasText: id }).getByRole('radio').check({ force: true });
  await page.getByRole('button', { name: 'Deactivate' }).click();
  await dialog.getByRole('button', { name: 'Deactivate' }).click();
  await page.getByRole('row').filter({ hasText: id }).getByText('Inactive').waitFor();
  await page.getByRole('button', { name: 'Activate', exact: true }).click();
  await dialog.getByRole('button', { name: 'Activate' }).click();
  await page.getByRole('row').filter({ hasText: id }).getByText('Active', { exact: true }).waitFor();
});
