import { signIn, story, usable } from './story.mjs';

await story(async (page) => {
  await signIn(page, '/connections');
  await page.getByRole('radio', { name: 'hub-kept' }).check();
  await page.getByRole('button', { name: 'Complete handshake' }).click();
  const dialog = page.getByRole('dialog', { name: 'Complete handshake: hub-kept' });
  await dialog.getByRole('textbox', { name: 'Token' }).fill('ghp_anything');
  await page.keyboard.press('Enter');
  await dialog.getByText('AccessDeniedException').waitFor();
  await dialog.getByText('is not authorized to perform: apprunner:CompleteConnection').waitFor();
  await usable(page, 'denied');
});
