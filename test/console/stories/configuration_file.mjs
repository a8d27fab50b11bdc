import { equal, signIn, story, told, usable } from './story.mjs';
import { choose } from './wizard.mjs';

await story(async (page) => {
  await signIn(page, `/services/${encodeURIComponent(told.arn)}/configuration`);
  const edit = (title) => page.getByRole('button', { name: `Edit ${title}`, exact: true });
  for (const title of ['Source and deployment', 'Configure build', 'Configure service']) await edit(title).waitFor();
  await page.getByText('Configuration file (apprunner.yaml)').waitFor();
  await usable(page, 'shown');
  await edit('Configure service').click();
  await page.getByRole('button', { name: /^Virtual CPU/ }).waitFor();
  equal('fields that the file has', await page.getByLabel(/^(Port|Start command)/).or(page.getByRole('button', { name: 'Add environment variable' })).count(), 0);
  await page.getByRole('button', { name: 'Cancel' }).click();

  await edit('Configure build').click();
  equal('fields of a build from a file', await page.getByLabel(/Runtime|Build command|Start command|Port/).count(), 0);
  await page.getByRole('radio', { name: /^Configure all settings here/ }).check();
  await choose(page, 'Runtime', 'Python 3.11');
  await page.getByLabel(/^Build command/).fill('echo from the console > built.txt');
  await page.getByLabel('Start command').fill('python3 server.py');
  await usable(page, 'build');
  await page.getByLabel('Start command').press('Enter'); // saves, as in any form
  await page.getByText('Settings of the service').waitFor();
  await page.getByText('echo from the console > built.txt').waitFor();
});
