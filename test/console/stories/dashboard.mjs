import { equal, signIn, story, told, usable } from './story.mjs';

await story(async (page) => {
  await signIn(page, `/services/${encodeURIComponent(told.arn)}`);
  await page.getByRole('heading', { name: told.service, level: 1 }).waitFor();
  const status = (text) => page.locator('dl').getByText(text, { exact: true }).first().waitFor({ timeout: 60_000 });
  await status('Running');
  await status('Healthy');
  await page.getByText(told.arn).first().waitFor();
  await page.getByRole('link', { name: told.host }).waitFor();
  await page.getByText('dkr.ecr.us-east-1.amazonaws.com/app:v1').first().waitFor();
  await usable(page, 'dashboard');

  const act = async (name) => {
    await page.getByRole('button', { name: 'Actions' }).click();
    await page.getByRole('menuitem', { name, exact: true }).click();
  };
  const off = async (name, want) => {
    await page.getByRole('button', { name: 'Actions' }).click();
    equal(`${name} is off`, (await page.getByRole('menuitem', { name, exact: true }).getAttribute('aria-disabled')) === 'true', want);
    await page.keyboard.press('Escape');
  };

  await page.getByRole('button', { name: 'Deploy', exact: true }).click();
  await status('Operation in progress');
  await off('Pause', true);
  await off('Delete', true);
  await status('Running');
  await page.getByRole('tab', { name: 'Activity' }).click();
  await page.getByRole('row').filter({ hasText: 'Deployment' }).getByText('Succeeded').waitFor();
  await usable(page, 'activity');

  await off('Resume', true);
  await act('Pause');
  await status('Operation in progress');
  await status('Paused');
  await off('Pause', true);
  equal('Deploy is off', await page.getByRole('button', { name: 'Deploy', exact: true }).getAttribute('aria-disabled'), 'true');
  await usable(page, 'paused');
  await act('Resume');
  await status('Operation in progress');
  await status('Running');

  await act('Delete');
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('button', { name: 'Delete', exact: true }).click();
  await dialog.getByText('Type delete to confirm.').waitFor();
  await usable(page, 'delete');
  await dialog.getByRole('textbox').fill('delete');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: /^Services/, level: 1 }).waitFor();
  const row = page.getByRole('row').filter({ hasText: told.service });
  await row.getByText('Operation in progress').waitFor();
  await row.waitFor({ state: 'detached', timeout: 60_000 });
});
