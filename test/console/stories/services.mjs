import { equal, signIn, story, told, usable } from './story.mjs';

await story(async (page) => {
  await signIn(page);
  await page.getByRole('heading', { name: /^Services/, level: 1 }).waitFor();
  const row = page.getByRole('row').filter({ hasText: told.service });
  await row.getByText('Running').waitFor();
  equal('where the domain leads', await row.getByRole('link', { name: told.host }).getAttribute('href'), `https://${told.host}:${told.port}`);
  await usable(page, 'services');

  const filter = page.getByLabel('Find services');
  await filter.fill('nothing is called so');
  await page.getByText('No matches').waitFor();
  await filter.fill('runn');
  await row.waitFor();
  await filter.fill(told.host.slice(0, 8));
  await row.waitFor();

  // The panes: what the page is about, and where else to go, which can be folded.
  await page.getByRole('button', { name: 'Info about services' }).click();
  await page.getByRole('heading', { name: 'Services', level: 2 }).waitFor();
  await usable(page, 'help');
  const navigation = page.getByRole('navigation', { name: 'App Runner' }).or(page.getByRole('link', { name: 'Auto scaling' }));
  await navigation.first().waitFor();
  await page.getByRole('button', { name: 'Close navigation' }).click();
  await page.getByRole('link', { name: 'Auto scaling' }).waitFor({ state: 'hidden' });
  await page.getByRole('button', { name: 'Open navigation' }).click();

  // The services of another region are others.
  await page.getByRole('button', { name: /^Region/ }).click();
  await page.getByRole('menuitemcheckbox', { name: /eu-west-1/ }).click();
  await row.waitFor({ state: 'hidden' });
  await page.getByText('No services').waitFor();
  await page.getByRole('button', { name: /^Region/ }).click();
  await page.getByRole('menuitemcheckbox', { name: /us-east-1/ }).click();

  await row.getByRole('link', { name: told.service, exact: true }).click();
  await page.getByRole('heading', { name: told.service, level: 1 }).waitFor();
});
