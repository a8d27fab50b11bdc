import { signIn, story, told, usable } from './story.mjs';

await story(async (page) => {
  await signIn(page);
  await page.getByRole('heading', { name: 'App Runner', level: 1 }).waitFor();
  await usable(page, 'home');
  await page.getByRole('button', { name: 'Create an App Runner service' }).click();
  await page.getByRole('heading', { name: 'Source and deployment' }).first().waitFor();

  await page.getByRole('link', { name: 'Services', exact: true }).first().click();
  await page.getByText('No services').waitFor();
  await usable(page, 'none');

  await page.goto(`${told.url}/console/nowhere`);
  await page.getByText('There is no page at this address').waitFor();
  await usable(page, 'nowhere');
});
