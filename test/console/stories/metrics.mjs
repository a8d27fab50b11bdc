import { choose, graphs, refresh, small, sums, until } from './graphs.mjs';
import { equal, signIn, story, told, usable } from './story.mjs';

await story(async (page) => {
  await signIn(page, `/services/${encodeURIComponent(told.arn)}`);
  await page.getByRole('tab', { name: 'Metrics' }).click();
  for (const graph of graphs) await page.getByRole('heading', { name: graph, level: 2 }).waitFor();

  // What was asked before is there, in graphs and as figures, and above.
  await choose(page, 'Requests', 'Show as table');
  await choose(page, 'Responses by status', 'Show as table');
  await until('requests', () => sums(page, 'Requests'), [7], () => refresh(page));
  await until('responses', () => sums(page, 'Responses by status'), [4, 2, 1], () => refresh(page));
  await page.getByText('1 answered with 5xx').waitFor({ timeout: 60_000 });
  await usable(page, 'table');
  await choose(page, 'Requests', 'Show as graph');
  await choose(page, 'Responses by status', 'Show as graph');
  const latency = page.getByRole('region', { name: 'Request latency' }).or(page.locator('[aria-label="Request latency"]')).first();
  await latency.waitFor();
  await page.getByText('Sum of every minute').first().waitFor();
  await usable(page, 'graphs');

  // A longer time has longer periods, and stands in the address.
  await page.getByRole('button', { name: '12h', exact: true }).click();
  await page.getByText('Sum of every 10 minutes').first().waitFor();
  await page.reload();
  await page.getByText('Sum of every 10 minutes').first().waitFor();
  equal('the chosen time', await page.getByRole('button', { name: '12h', exact: true }).getAttribute('aria-pressed'), 'true');
  for (const time of ['3h', '1d', '3d', '1w']) await page.getByRole('button', { name: time, exact: true }).click();
  await page.getByText('Sum of every 2 hours').first().waitFor();
  await usable(page, 'week');

  // A time before the service was there.
  await page.getByRole('button', { name: /^Custom time/ }).click();
  await usable(page, 'custom');
  await page.getByLabel('Start date').fill('2026/01/05');
  await page.getByLabel('End date').fill('2026/01/04');
  await page.getByRole('button', { name: 'Apply' }).click();
  await page.getByText('The time has to end after it begins.').first().waitFor();
  await page.getByLabel('End date').fill('2026/01/06');
  await page.getByRole('button', { name: 'Apply' }).click();
  await page.getByText('Nothing was measured in this time.').first().waitFor();
  await usable(page, 'empty');
  await page.getByRole('button', { name: '1h', exact: true }).click();
  await page.getByText('Sum of every minute').first().waitFor();

  // It is drawn anew by itself, as often as somebody wants.
  await page.getByRole('button', { name: 'Refresh by itself' }).click();
  await page.getByRole('menuitemcheckbox', { name: 'Every 10 seconds' }).click();
  await page.waitForRequest((r) => r.postData()?.includes('MemoryUtilization'), { timeout: 60_000 });
  await page.getByRole('button', { name: 'Refresh by itself' }).click();
  await page.getByRole('menuitemcheckbox', { name: 'Off' }).click();

  await small(page, `/services/${encodeURIComponent(told.arn)}/metrics?time=1d`, usable);
});
