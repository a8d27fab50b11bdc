import { signIn, story, told, usable } from './story.mjs';

// Who may only look at App Runner sees the configuration, and is told what is missing to change it.
await story(async (page) => {
  await signIn(page, `/services/${encodeURIComponent(told.arn)}/configuration`);
  await page.getByText('You may not see it').waitFor();
  await page.getByRole('button', { name: 'Edit Source and deployment' }).click();
  await page.getByText('The roles cannot be listed').waitFor();
  await page.getByLabel('Container image URI').fill(told.image.replace('v1', 'v9'));
  await page.getByRole('button', { name: 'Save changes' }).click();
  await page.getByText('is not authorized to perform: apprunner:UpdateService').first().waitFor();
  await usable(page, 'denied');
});
