import { story, told, usable } from './story.mjs';

await story(async (page) => {
  await page.goto(`${told.url}/console/`);
  await page.getByRole('button', { name: 'Sign in as the root user' }).click();
  await page.getByLabel('Mail address of the root user').fill('owner@example.com');
  await page.getByLabel('Password').fill(told.password);
  await page.keyboard.press('Enter');
  await page.getByLabel('New password', { exact: true }).fill('A-word-of-my-own-1');
  await page.getByLabel('New password once more').fill('another');
  await page.keyboard.press('Enter');
  await page.getByText('The two new passwords differ.').waitFor();
  await usable(page, 'second');
  await page.getByLabel('New password once more').fill('A-word-of-my-own-1');
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: `root in account ${told.account}` }).waitFor();
  await page.goto(`${told.url}/console/keys`);
  await page.getByText('You are root').waitFor();
  await usable(page, 'root');
});
