import { press, tabTo } from './keys.mjs';
import { story, told } from './story.mjs';

await story(async (page) => {
  await page.goto(`${told.url}/console/`);
  await page.getByLabel('User name').waitFor();
  await page.keyboard.type(told.user); // the field has the focus
  await page.keyboard.press('Tab');
  await page.keyboard.type(told.password);
  await page.keyboard.press('Enter');

  const name = page.getByRole('link', { name: told.service, exact: true });
  await name.waitFor();
  await press(page, name);
  await page.getByRole('heading', { name: told.service, level: 1 }).waitFor();

  await press(page, page.getByRole('button', { name: 'Actions' }));
  await page.getByRole('menuitem', { name: 'Pause' }).waitFor();
  await page.keyboard.press('Escape');
  await press(page, page.getByRole('button', { name: 'Deploy', exact: true }));
  await page.getByText('Deployment: succeeded').waitFor({ timeout: 60_000 });

  await tabTo(page, page.getByRole('tab', { name: 'Logs' }));
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('Enter');
  await page.getByRole('row').filter({ hasText: 'Create service' }).waitFor();
});
