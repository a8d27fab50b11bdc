/** What a person without a mouse does. */

/** How often Tab is pressed at most: more than any page has places. */
const most = 80;

/** Goes on by Tab until something has the focus. */
export async function tabTo(page, target) {
  for (let n = 0; n < most; n++) {
    if (await target.evaluate((element) => element === document.activeElement).catch(() => false)) return;
    await page.keyboard.press('Tab');
  }
  throw new Error(`Tab never leads to ${target}`);
}

/** Goes to a button or link and presses it. */
export async function press(page, target) {
  await tabTo(page, target);
  await page.keyboard.press('Enter');
}

/** Goes to a field and types. */
export async function type(page, target, text) {
  await tabTo(page, target);
  await page.keyboard.type(text);
}

/** Goes to a list, opens it, and chooses by its arrow keys the option that has a label. */
export async function pickByKeys(page, trigger, option) {
  await tabTo(page, trigger);
  await page.keyboard.press('Enter');
  const wanted = page.getByRole('option', { name: option });
  await wanted.waitFor();
  await page.keyboard.type(option); // the filter of the list has the focus
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  if ((await trigger.getAttribute('aria-expanded')) === 'true') await page.keyboard.press('Escape');
}
