import { readFile } from 'node:fs/promises';

import { equal, signIn, story, told, usable } from './story.mjs';

const fetchedBy = async (page, act) => {
  const [download] = await Promise.all([page.waitForEvent('download'), act()]);
  return { name: download.suggestedFilename(), text: await readFile(await download.path(), 'utf8') };
};

const holds = (what, text, part) => {
  if (!text.includes(part)) throw new Error(`${what} has no ${JSON.stringify(part)}: ${text.slice(0, 2000)}`);
};

await story(async (page) => {
  await signIn(page, `/services/${encodeURIComponent(told.arn)}`);

  // The event log: its latest lines, all of it, as a file.
  const events = page.getByRole('region', { name: 'Event log, latest lines' });
  await events.getByText('Service status is set to RUNNING.').first().waitFor();
  const file = await fetchedBy(page, () => page.getByRole('button', { name: 'Download: Event log' }).click());
  equal('the file is called', file.name, `${told.service}-events.log`);
  holds('the event log', file.text, '[AppRunner] Service creation completed successfully.');

  // Deployment logs: a table that finds by any value, each leads to its log.
  const deployments = page.getByRole('table', { name: 'Deployment logs' });
  await deployments.getByRole('row').filter({ hasText: 'Create service' }).waitFor();
  await deployments.getByRole('row').filter({ hasText: told.operation }).waitFor();
  const filter = page.getByLabel('Find deployment logs');
  for (const [text, rows] of [['succee', 2], ['create serv', 1], ['failed', 0], [told.operation.slice(0, 13), 1], ['', 2]]) {
    await filter.fill(text);
    await page.waitForFunction(([n]) => document.querySelectorAll('table tbody tr a').length === n, [rows]);
  }
  await usable(page, 'logs');
  await deployments.getByRole('row').filter({ hasText: told.operation }).getByRole('radio').check({ force: true });
  const deployed = await fetchedBy(page, () => page.getByRole('button', { name: 'Download log' }).click());
  holds('the deployment log', deployed.text, 'Pulling image');

  // Application logs: all instances as one, or one of them; new lines come by themselves.
  const application = page.getByRole('region', { name: 'Application log of all instances, latest lines' });
  await application.getByText('printed by one').waitFor();
  await application.getByText('printed by two').waitFor();
  await page.getByRole('button', { name: 'Instance All instances' }).click();
  await page.getByRole('option', { name: new RegExp(told.instance) }).click();
  const single = page.getByRole('region', { name: `Application log of instance ${told.instance}, latest lines` });
  await single.getByText('printed by one').waitFor();
  equal('lines of another instance', await single.getByText('printed by two').count(), 0);
  await usable(page, 'instance');

  // A time nothing was written in.
  await page.getByRole('button', { name: /^Time/ }).first().click();
  await usable(page, 'range');
  await page.getByLabel('Last 15 minutes').check({ force: true });
  await page.getByRole('button', { name: 'Apply' }).click();
  await single.getByText('printed by one').waitFor();

  // All of a log: and what is looked for in it.
  await page.getByRole('button', { name: 'View full log: Event log' }).click();
  await page.getByRole('heading', { name: 'Event log', level: 1 }).waitFor();
  const full = page.getByRole('region', { name: 'Event log', exact: true });
  await full.getByText('Service creation started.').waitFor();
  await usable(page, 'full');
  await page.getByLabel('Find lines').fill('set to running');
  await full.getByText('Service creation started.').waitFor({ state: 'hidden' });
  await full.getByText('Service status is set to RUNNING.').first().waitFor();
  await page.goBack();

  await page.getByRole('tab', { name: 'Activity' }).click();
  await page.getByRole('row').filter({ hasText: 'Create service' }).getByRole('link').click();
  await page.getByRole('heading', { name: /^Deployment log/, level: 1 }).waitFor();
  await page.getByText('Health check is successful').waitFor();
  await usable(page, 'deployment');
});
