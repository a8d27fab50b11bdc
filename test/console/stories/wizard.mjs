/** What the stories of the create wizard and the Configuration tab do again and again. */

/** Chooses an option of a list by its label. */
export async function choose(page, label, option) {
  await page.getByRole('button', { name: new RegExp(`^${label}`) }).click();
  await page.getByRole('option', { name: option }).click();
}

/** Opens a folded section. */
export async function unfold(page, title) {
  await page.getByRole('button', { name: title, exact: true, expanded: false }).click();
}

/** Goes to the step that the button leads to. */
export async function go(page, button, heading) {
  await page.getByRole('button', { name: button, exact: true }).click();
  await page.getByRole('heading', { name: heading, level: 1 }).waitFor();
}

/** Waits until the dashboard of a new service says that it runs, and returns where its default domain leads. */
export async function untilRunning(page, name) {
  await page.getByRole('heading', { name, level: 1 }).waitFor();
  await page.getByText('Running', { exact: true }).first().waitFor({ timeout: 240_000 });
  return page.getByRole('link', { name: /apprunner\.localhost/ }).first().getAttribute('href');
}
