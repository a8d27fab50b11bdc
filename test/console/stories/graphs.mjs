import { told } from './story.mjs';

/** What the stories of graphs do again and again. */

/** The graphs of a service. */
export const graphs = ['Requests', 'Responses by status', 'Request latency', 'Active instances', 'Concurrency', 'CPU utilization', 'Memory utilization'];

/** Does something until what it tells is wanted. */
export async function until(what, look, want, again) {
  for (const end = Date.now() + 150_000; ;) {
    const got = await look();
    if (JSON.stringify(got) === JSON.stringify(want)) return;
    if (Date.now() > end) throw new Error(`${what}: ${JSON.stringify(got)}, want ${JSON.stringify(want)}`);
    await again();
  }
}

/** Chooses what is done with a graph. */
export async function choose(page, graph, action) {
  await page.getByRole('button', { name: `Actions for ${graph}`, exact: true }).click();
  await page.getByRole('menuitem', { name: action, exact: true }).click();
}

/** Draws the graphs anew, and leaves them a moment. */
export async function refresh(page) {
  await page.getByRole('button', { name: 'Refresh the graphs' }).click();
  await page.waitForTimeout(1000);
}

/** The sums of the columns of a graph that is shown as a table. */
export function sums(page, graph) {
  return page.getByRole('table', { name: graph, exact: true }).evaluate((table) => {
    const columns = table.querySelectorAll('thead th').length - 1;
    const rows = [...table.querySelectorAll('tbody tr')].map((row) => [...row.children].slice(-columns));
    return Array.from({ length: columns }, (_, i) => rows.reduce((all, cells) => all + (Number(cells.at(i - columns)?.textContent) || 0), 0));
  });
}

/** Opens a page on a small screen. The frame's own navigation is Cloudscape's, and has an orientation that axe does not allow. */
export async function small(page, where, usable) {
  await page.goto('about:blank'); // what is drawn for a large screen is not squeezed
  await page.setViewportSize({ width: 400, height: 900 });
  await page.goto(`${told.url}/console${where}`);
  await page.getByText(/Sum of every (minute|15 minutes)/).first().waitFor();
  await usable(page, 'narrow', 'nav');
}
