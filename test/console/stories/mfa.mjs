import { story, told, usable } from './story.mjs';

await story(async (page) => {
  await page.goto(`${told.url}/console/`);
  await page.getByLabel('User name').fill(told.user);
  await page.getByLabel('Password').fill(told.password);
  await page.keyboard.press('Enter');
  const code = page.getByLabel('MFA code');
  await code.fill('000000');
  await page.keyboard.press('Enter');
  await page.getByText('MFA code is wrong').waitFor();
  await usable(page, 'code');
  await code.fill(told.code);
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: `${told.user} in account` }).waitFor();
});
