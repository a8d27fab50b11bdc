import { equal, signIn, story, told, usable } from './story.mjs';

await story(async (page) => {
  await signIn(page, `/services/${encodeURIComponent(told.service)}/domains`);
  await page.getByText('No custom domains').waitFor();
  await usable(page, 'none');

  await page.getByRole('button', { name: 'Link domain' }).click();
  let dialog = page.getByRole('dialog', { name: 'Link domain' });
  await dialog.getByLabel('Domain name').fill('shop');
  await page.keyboard.press('Enter');
  await dialog.getByText('"shop" is not allowed').waitFor();
  await dialog.getByLabel('Domain name').fill('*.example.com');
  equal('www of a wildcard', await dialog.getByRole('checkbox').isDisabled(), true);
  await dialog.getByLabel('Domain name').fill('example.com');
  await dialog.getByRole('checkbox').check();
  await usable(page, 'link');
  await page.keyboard.press('Tab');
  await dialog.getByRole('button', { name: 'Link domain' }).click();

  // The records: two that prove, two that lead.
  await page.getByRole('heading', { name: 'Configure DNS: example.com' }).waitFor();
  await page.getByText('Pending certificate DNS validation').waitFor();
  const records = page.getByRole('table', { name: 'DNS records for example.com' });
  equal('records that prove', await records.getByText('Certificate validation').count(), 2);
  equal('records that lead', await records.getByText('DNS target').count(), 2);
  await usable(page, 'records');
  const copy = records.getByRole('button', { name: /Copy the value .*acm-validations/ }).first();
  await copy.click();
  equal('what is copied', `Copy the value ${await page.evaluate(() => navigator.clipboard.readText())}`, await copy.getAttribute('aria-label'));
  await page.getByRole('button', { name: 'Close', exact: true }).click();

  await page.getByRole('heading', { name: 'example.com', exact: true }).waitFor();
  await page.getByText('With www.example.com').waitFor();
  await page.getByText('Pending certificate DNS validation').waitFor();
  await usable(page, 'pending');
  const answer = await fetch(told.owner);
  if (!answer.ok) throw new Error(await answer.text());
  await page.getByText('Active', { exact: true }).waitFor();
  await usable(page, 'active');

  await page.getByRole('button', { name: 'Unlink domain example.com' }).click();
  dialog = page.getByRole('dialog', { name: 'Unlink domain' });
  await usable(page, 'unlink');
  await dialog.getByRole('button', { name: 'Unlink domain' }).click();
  await page.getByText('No custom domains').waitFor();
});
