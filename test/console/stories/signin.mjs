import { equal, signIn, story, told, usable } from './story.mjs';

await story(async (page) => {
  await page.goto(`${told.url}/console/keys`);
  await page.getByRole('heading', { name: 'Sign in to Slipway' }).waitFor();
  equal('the proposed account', await page.getByLabel('Account').inputValue(), told.account);
  await usable(page, 'form');

  await page.getByLabel('User name').fill(told.user);
  await page.getByLabel('Password').fill('wrong');
  await page.keyboard.press('Enter');
  await page.getByText('password is wrong').waitFor();
  await usable(page, 'refused');

  await page.getByLabel('Password').fill(told.password);
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Access keys', level: 1 }).waitFor();
  equal('where it leads', new URL(page.url()).pathname, '/console/keys');

  await page.reload();
  await page.getByRole('heading', { name: 'Access keys', level: 1 }).waitFor();

  await page.getByRole('button', { name: new RegExp(told.user) }).click();
  await page.getByRole('menuitem', { name: 'Sign out' }).click();
  await page.getByRole('heading', { name: 'Sign in to Slipway' }).waitFor();
  await signIn(page);
});
