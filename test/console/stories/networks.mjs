/** What the stories of networks do again and again. */

/** Chooses options of a list by their labels; the list of a single choice closes itself. */
export async function pick(scope, label, ...options) {
  const page = scope.page();
  const trigger = scope.getByRole('button', { name: new RegExp(`^${label}`) });
  await trigger.click();
  for (const option of options) await page.getByRole('option', { name: option }).click();
  if ((await trigger.getAttribute('aria-expanded')) === 'true') await page.keyboard.press('Escape');
}

/** Fills in a new interface endpoint and makes it. */
export async function createEndpoint(page, name, vpc) {
  const dialog = page.getByRole('dialog', { name: 'Create VPC interface endpoint' });
  await dialog.getByLabel('Name', { exact: true }).fill(name);
  await pick(dialog, 'VPC', vpc);
  await pick(dialog, 'Subnets', `${vpc}-us-east-1a`);
  await pick(dialog, 'Security groups', `${vpc}-https`);
  await dialog.getByRole('button', { name: 'Add tag' }).click();
  await dialog.getByRole('textbox', { name: 'Key' }).fill('team');
  await dialog.getByRole('textbox', { name: 'Value' }).fill('blue');
  return dialog;
}

/** Opens the networking part of the service section. */
export async function editNetworking(page) {
  await page.getByRole('button', { name: 'Edit Configure service' }).click();
  await page.getByRole('button', { name: 'Networking', exact: true, expanded: false }).click();
}
