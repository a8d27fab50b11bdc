import { story, told } from './story.mjs';

/** Goes on with Tab until what has the focus is called so. */
async function reach(page, name) {
  for (let i = 0; i < 80; i++) {
    await page.keyboard.press('Tab');
    const focused = await page.evaluate(() => {
      const e = document.activeElement;
      return (e?.getAttribute('aria-label') ?? e?.textContent ?? '').trim();
    });
    if (focused.includes(name)) return;
  }
  throw new Error(`Tab never reaches ${name}`);
}

await story(async (page) => {
  await page.goto(`${told.url}/console/`);
  await page.getByLabel('User name').waitFor();
  await page.keyboard.type(told.user);
  await page.keyboard.press('Tab');
  await page.keyboard.type(told.password);
  await page.keyboard.press('Enter');

  await page.getByRole('link', { name: told.service, exact: true }).waitFor();
  await reach(page, told.service);
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: told.service, level: 1 }).waitFor();

  await reach(page, 'Actions');
  await page.keyboard.press('Enter');
  await page.getByRole('menuitem', { name: 'Pause' }).waitFor();
  await page.keyboard.press('Escape');
  await reach(page, 'Deploy');
  await page.keyboard.press('Enter');
  await page.getByText('Deployment: succeeded').waitFor({ timeout: 60_000 });

  await reach(page, 'Logs');
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('Enter');
  await page.getByRole('row').filter({ hasText: 'Create service' }).waitFor();
});
