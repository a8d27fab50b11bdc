import { signIn, story, tell, usable } from './story.mjs';

await story(async (page) => {
  await signIn(page, '/keys');
  await page.getByRole('link', { name: 'CLI settings' }).first().click();
  const settings = page.getByRole('region', { name: 'Settings' });
  const sh = await settings.innerText();
  await usable(page, 'cli');
  await page.getByRole('button', { name: 'Copy' }).click();
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  await page.getByRole('button', { name: 'PowerShell' }).click();
  const powershell = await settings.innerText();
  await page.getByRole('button', { name: 'AWS profile' }).click();
  const profile = await settings.innerText();
  await tell({ sh, copied, powershell, profile });
});
