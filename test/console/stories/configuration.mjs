import { equal, signIn, story, told, usable } from './story.mjs';
import { choose, unfold } from './wizard.mjs';

await story(async (page) => {
  await signIn(page, `/services/${encodeURIComponent(told.arn)}/configuration`);
  const edit = (title) => page.getByRole('button', { name: `Edit ${title}`, exact: true });
  const save = page.getByRole('button', { name: 'Save changes' });
  await edit('Source and deployment').waitFor();
  equal('a build of an image', await edit('Configure build').count(), 0);
  await usable(page, 'shown');

  // What the API cannot change is not there to be edited; a wrong value is not sent.
  await edit('Configure service').click();
  equal('the name', await page.getByLabel('Service name').count(), 0);
  await unfold(page, 'Security');
  equal('the key', await page.getByLabel(/KMS key/).count(), 0);
  equal('the other section while one is edited', await edit('Source and deployment').isDisabled(), true);
  await unfold(page, 'Health check');
  await page.getByLabel('Timeout', { exact: true }).fill('20');
  await page.getByLabel('Interval', { exact: true }).fill('10');
  await save.click();
  await page.getByText('Interval 10 s is smaller than timeout 20 s').waitFor();
  equal('the focus', await page.getByLabel('Interval', { exact: true }).evaluate((field) => field === document.activeElement), true);
  await usable(page, 'refused');
  await page.getByLabel('Timeout', { exact: true }).fill('3');
  await choose(page, 'Virtual memory', '1 GB');
  await page.getByRole('button', { name: 'Add environment variable' }).click();
  await page.getByLabel('Name', { exact: true }).fill('START_DELAY');
  await page.getByLabel('Value', { exact: true }).fill('8s');
  await unfold(page, 'Tags');
  await page.getByRole('button', { name: 'Add tag' }).click();
  await page.getByRole('textbox', { name: 'Key', exact: true }).fill('team');
  await page.getByRole('textbox', { name: 'Value - optional' }).fill('blue');
  await usable(page, 'service');
  await save.click();
  await page.getByText('TCP; timeout 3 s, interval 10 s, unhealthy 5, healthy 1').waitFor();
  await page.getByText('0.25 vCPU, 1 GB').waitFor();
  // The application takes its time to start, so that this is seen.
  equal('editing while the operation works', await edit('Configure service').isDisabled(), true);

  // Once that is done, the source: the image is changed by hand, and not before it is saved.
  await page.getByText('Running', { exact: true }).first().waitFor({ timeout: 120_000 });
  await edit('Source and deployment').click();
  equal('the type of the source', await page.getByText('Repository type').count(), 0);
  await page.getByLabel('Container image URI').fill(told.image.replace('v1', 'v2'));
  await page.getByRole('button', { name: 'Cancel' }).click();
  await page.getByText(told.image, { exact: true }).last().waitFor();
  await edit('Source and deployment').click();
  await page.getByRole('radio', { name: /^Automatic/ }).check();
  await usable(page, 'source');
  await save.click();
  await page.getByText('Automatic', { exact: true }).waitFor();
});
