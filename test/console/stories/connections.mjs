import { equal, signIn, story, told, usable } from './story.mjs';

const create = async (page, name) => {
  await page.getByRole('button', { name: 'Create connection' }).first().click();
  const dialog = page.getByRole('dialog', { name: 'Add a connection' });
  await dialog.getByLabel('Connection name').fill(name);
  return dialog;
};

await story(async (page) => {
  await signIn(page, '/connections');
  await page.getByText('No connections').waitFor();
  await usable(page, 'none');

  let dialog = await create(page, 'no');
  await dialog.getByRole('button', { name: 'Add connection' }).click();
  await dialog.getByText('"no" is not allowed').waitFor();
  await dialog.getByLabel('Connection name').fill('hub-kept');
  await usable(page, 'create');
  await dialog.getByRole('button', { name: 'Add connection' }).click();
  const row = (name) => page.getByRole('row', { name: new RegExp(name) });
  await row('hub-kept').getByText('Pending handshake').waitFor();
  equal('where the name leads', await row('hub-kept').getByRole('link').getAttribute('href'), 'https://github.com/settings/tokens');
  equal('the new one is chosen', await row('hub-kept').getByRole('radio').isChecked(), true);

  // The provider refuses a password.
  await page.getByRole('button', { name: 'Complete handshake' }).click();
  dialog = page.getByRole('dialog', { name: 'Complete handshake: hub-kept' });
  await dialog.getByRole('button', { name: 'Complete handshake' }).click();
  await dialog.getByText('A token is required.').waitFor();
  await dialog.getByRole('button', { name: 'User and password' }).click();
  await dialog.getByRole('textbox', { name: 'User' }).fill('connie');
  await dialog.getByLabel('Password', { exact: true }).fill('wrong');
  await dialog.getByRole('button', { name: 'Try it with a repository' }).click();
  await dialog.getByLabel('Repository URL').fill(told.repository);
  await usable(page, 'handshake');
  await dialog.getByRole('button', { name: 'Complete handshake' }).click();
  await row('hub-kept').getByText('Error: the provider refused the credential').waitFor();
  await usable(page, 'refused');

  // A deploy key, by keyboard alone, without asking the provider.
  await page.getByRole('button', { name: 'Complete handshake' }).focus();
  await page.keyboard.press('Enter');
  await dialog.getByRole('button', { name: 'Token' }).focus();
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('Enter');
  await dialog.getByLabel('Private key').waitFor();
  await page.keyboard.press('Tab');
  await page.keyboard.type('-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----');
  await usable(page, 'key');
  await dialog.getByRole('button', { name: 'Complete handshake' }).focus();
  await page.keyboard.press('Enter');
  await row('hub-kept').getByText('Available').waitFor();

  // Another one comes, is found by the filter, and goes again.
  dialog = await create(page, 'bucket-gone');
  await dialog.getByRole('radio', { name: 'Bitbucket' }).check();
  await dialog.getByRole('button', { name: 'Add connection' }).click();
  await row('bucket-gone').waitFor();
  await page.getByPlaceholder('Find connections').fill('bucket');
  await page.getByText('1 match').first().waitFor();
  equal('the filter hides the other', await row('hub-kept').count(), 0);
  await page.getByRole('button', { name: 'Delete' }).click();
  dialog = page.getByRole('dialog', { name: 'Delete connection' });
  await usable(page, 'delete');
  await dialog.getByRole('button', { name: 'Delete' }).click();
  await page.getByText('The connection bucket-gone was deleted.').waitFor();
  await page.getByPlaceholder('Find connections').fill('');
  await row('hub-kept').waitFor();
  equal('rows', await row('bucket-gone').count(), 0);
});
