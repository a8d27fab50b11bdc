import { choose, graphs, refresh, small, sums, until } from './graphs.mjs';
import { equal, signIn, story, told, usable } from './story.mjs';

await story(async (page) => {
  await signIn(page, `/services/${encodeURIComponent(told.arn)}/metrics`);

  // One graph on a new dashboard, then others beside it.
  await choose(page, 'Responses by status', 'Add to dashboard');
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
  await choose(page, twice, 'Show as table');
  await until('responses on the dashboard', () => sums(page, twice), [4, 2, 1], () => refresh(page));
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

  await small(page, `/dashboards/${told.dashboard}`, usable);
});
