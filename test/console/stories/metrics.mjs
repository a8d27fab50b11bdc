import { equal, signIn, story, told, usable } from './story.mjs';

const graphs = ['Requests', 'Responses by status', 'Request latency', 'Active instances', 'Concurrency', 'CPU utilization', 'Memory utilization'];

/** Does something until what it tells is wanted. */
async function until(what, look, want, again) {
  for (const end = Date.now() + 150_000; ;) {
    const got = await look();
    if (JSON.stringify(got) === JSON.stringify(want)) return;
    if (Date.now() > end) throw new Error(`${what}: ${JSON.stringify(got)}, want ${JSON.stringify(want)}`);
    await again();
  }
}

await story(async (page) => {
  const choose = async (graph, action) => {
    await page.getByRole('button', { name: `Actions for ${graph}`, exact: true }).click();
    await page.getByRole('menuitem', { name: action, exact: true }).click();
  };
  const refresh = async () => {
    await page.getByRole('button', { name: 'Refresh the graphs' }).click();
    await page.waitForTimeout(1000);
  };
  /** The sums of the columns of a graph that is shown as a table. */
  const sums = (graph) => page.getByRole('table', { name: graph, exact: true }).evaluate((table) => {
    const rows = [...table.querySelectorAll('tbody tr')].map((row) => [...row.querySelectorAll('td')].slice(-(row.children.length - 1)));
    const columns = table.querySelectorAll('thead th').length - 1;
    return Array.from({ length: columns }, (_, i) => rows.reduce((all, cells) => all + (Number(cells.at(i - columns)?.textContent) || 0), 0));
  });

  await signIn(page, `/services/${encodeURIComponent(told.arn)}`);
  await page.getByRole('tab', { name: 'Metrics' }).click();
  for (const graph of graphs) await page.getByRole('heading', { name: graph, level: 2 }).waitFor();

  // What was asked before is there, in graphs and as figures, and above.
  await choose('Requests', 'Show as table');
  await choose('Responses by status', 'Show as table');
  await until('requests', () => sums('Requests'), [7], refresh);
  await until('responses', () => sums('Responses by status'), [4, 2, 1], refresh);
  await page.getByText('1 answered with 5xx').waitFor({ timeout: 60_000 });
  await usable(page, 'table');
  await choose('Requests', 'Show as graph');
  await choose('Responses by status', 'Show as graph');
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

  // One graph on a new dashboard, then others beside it.
  await choose('Responses by status', 'Add to dashboard');
  const dialog = page.getByRole('dialog');
  await dialog.getByText('A new one').click();
  await dialog.getByLabel('Dashboard name').fill('not so');
  await dialog.getByRole('button', { name: 'Add to dashboard' }).click();
  await dialog.getByText(/"not so" is not allowed/).waitFor();
  await usable(page, 'add');
  await dialog.getByLabel('Dashboard name').fill(told.dashboard);
  await dialog.getByRole('button', { name: 'Add to dashboard' }).click();
  await page.getByText('The graph is on the dashboard').waitFor();
  await page.getByRole('button', { name: 'Add all to dashboard' }).click();
  await dialog.getByRole('button', { name: /^Dashboard name/ }).click();
  await page.getByRole('option', { name: told.dashboard }).click();
  await dialog.getByRole('button', { name: 'Add to dashboard' }).click();
  await page.getByText('The graphs are on the dashboard').waitFor();
  await page.getByRole('link', { name: told.dashboard, exact: true }).first().click();

  // The dashboard shows the same, without the graph that is twice there.
  await page.getByRole('heading', { name: told.dashboard, level: 1 }).waitFor();
  const twice = `${told.service}: Responses by status`;
  for (const graph of graphs) await page.getByRole('heading', { name: `${told.service}: ${graph}`, level: 2, exact: true }).first().waitFor();
  equal('the graph is there', await page.getByRole('heading', { name: twice, level: 2 }).count(), 2);
  await page.getByRole('button', { name: `Actions for ${twice}` }).last().click();
  await page.getByRole('menuitem', { name: 'Remove' }).click();
  await until('graphs', () => page.getByRole('heading', { name: twice, level: 2 }).count(), 1, () => page.waitForTimeout(200));
  await choose(twice, 'Show as table');
  await until('responses on the dashboard', () => sums(twice), [4, 2, 1], refresh);
  await usable(page, 'dashboard');
  await page.getByRole('button', { name: 'Edit source' }).click();
  const kept = JSON.parse(await dialog.getByLabel('Source', { exact: true }).inputValue());
  await dialog.getByLabel('Source', { exact: true }).fill('{');
  await dialog.getByRole('button', { name: 'Save' }).click();
  await dialog.getByText(/The dashboard is not JSON/).waitFor();
  await usable(page, 'source');
  await dialog.getByLabel('Source', { exact: true }).fill(JSON.stringify({
    widgets: [
      { type: 'text', properties: { markdown: 'What the shop does' } },
      { type: 'metric', x: 6, properties: { title: 'All of it', view: 'singleValue', stat: 'Sum', metrics: [['AWS/AppRunner', 'Requests', 'ServiceName', told.service, 'ServiceID', told.arn.split('/').pop()]] } },
      { type: 'alarm', x: 12, properties: { title: 'Alarms', alarms: [] } },
      ...kept.widgets.map((widget) => ({ ...widget, y: widget.y + 6 })),
    ],
  }));
  await dialog.getByRole('button', { name: 'Save' }).click();
  await page.getByText('What the shop does').waitFor();
  await page.getByText('Widgets of the type "alarm" are not shown here.').waitFor();
  await page.getByRole('heading', { name: 'All of it', level: 2 }).waitFor();
  await page.getByText(/^\d$/).first().waitFor(); // the requests of the newest minute, whichever that is
  await usable(page, 'widgets');
  for (const widget of ['Text', 'All of it', 'Alarms']) {
    await page.getByRole('button', { name: `Remove ${widget}`, exact: true }).click();
    await page.getByRole('heading', { name: widget, level: 2, exact: true }).waitFor({ state: 'hidden' });
  }

  // The list of dashboards: one more, and away with it.
  await page.getByRole('link', { name: 'Dashboards' }).first().click();
  await page.getByRole('row').filter({ hasText: told.dashboard }).waitFor();
  await page.getByRole('button', { name: 'Create dashboard' }).click();
  await dialog.getByLabel('Dashboard name').fill('passing');
  await dialog.getByRole('button', { name: 'Create', exact: true }).click();
  await page.getByText('The dashboard is empty.').waitFor();
  await usable(page, 'blank');
  await page.getByRole('link', { name: 'Dashboards' }).first().click();
  const passing = page.getByRole('row').filter({ hasText: 'passing' });
  await passing.getByRole('radio').check({ force: true });
  await usable(page, 'list');
  await page.getByRole('button', { name: 'Delete', exact: true }).click();
  await dialog.getByRole('button', { name: 'Delete' }).click();
  await page.getByText('The dashboard passing is deleted').waitFor();
  await passing.waitFor({ state: 'hidden' });

  // On a small screen. The frame's own bar is Cloudscape's, whose navigation has an orientation that axe does not allow.
  await page.goto('about:blank');
  await page.setViewportSize({ width: 400, height: 900 });
  for (const [name, where, ready] of [
    ['narrow', `/services/${encodeURIComponent(told.arn)}/metrics?time=1d`, 'Request latency'], ['narrow-dashboard', `/dashboards/${told.dashboard}`, twice],
  ]) {
    await page.goto(`${told.url}/console${where}`);
    await page.getByText(/Sum of every (minute|15 minutes)/).first().waitFor();
    await page.getByRole('heading', { name: ready, level: 2 }).scrollIntoViewIfNeeded();
    await usable(page, name, 'nav');
  }
});
