import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';

// The packages are those of the console's own folder.
const require = createRequire(new URL('../../../console/package.json', import.meta.url));
const { chromium } = require('playwright-core');
const axe = require.resolve('axe-core/axe.min.js');

/** What the test says: url, and who signs in; more by story. */
export const told = JSON.parse(process.env.STORY);

const flags = [
  '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync',
];

/** Plays a story in a browser of its own, and fails on what no story may bring about. */
export async function story(play) {
  const browser = await chromium.launch({ executablePath: told.chromium, args: flags });
  const context = await browser.newContext({ acceptDownloads: true, viewport: { width: 1360, height: 900 }, reducedMotion: 'reduce', colorScheme: 'light' });
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await steady(context);
  const page = await context.newPage();
  page.setDefaultTimeout(30_000);
  const faults = watch(page);
  try {
    await play(page);
  } catch (error) {
    faults.unshift(error.stack ?? String(error), await shown(page));
    await picture(page, 'failure');
  } finally {
    await browser.close();
  }
  if (faults.length > 0) {
    console.error(faults.join('\n'));
    process.exit(1);
  }
}

/** Fetches in the browser's place: it drops what is under way whenever an interface of the machine comes or goes, as those of instances do. */
async function steady(context) {
  await context.route('**/*', async (route) => {
    const response = await route.fetch({ maxRedirects: 0, timeout: 60_000 }).catch(() => undefined);
    await (response ? route.fulfill({ response }) : route.abort()).catch(() => {}); // the page may be gone by now
  });
}

/** Collects what goes wrong beside the story. */
function watch(page) {
  const faults = [];
  const home = new URL(told.url).host;
  page.on('pageerror', (error) => faults.push(`the page threw: ${error.stack ?? error}`));
  page.on('console', (message) => {
    // The browser itself notes each answer that is not a success; those are part of stories.
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) faults.push(`the page complained: ${message.text()}`);
  });
  page.on('request', (request) => {
    const url = new URL(request.url());
    if (url.host !== home && !['data:', 'blob:'].includes(url.protocol)) faults.push(`a request left the installation: ${url}`);
  });
  return faults;
}

async function shown(page) {
  return `the page was ${page.url()} and showed:\n${await page.locator('body').innerText().catch((error) => String(error))}`;
}

/** Leaves a picture where pictures are wanted. */
export async function picture(page, name) {
  if (!told.shots) return;
  await mkdir(told.shots, { recursive: true });
  await page.screenshot({ path: path.join(told.shots, `${name}.png`) }).catch(() => {});
}

/** Signs in as the user the test made. */
export async function signIn(page, where = '/') {
  await page.goto(`${told.url}/console${where}`);
  await page.getByLabel('Account').fill(told.account);
  await page.getByLabel('User name').fill(told.user);
  await page.getByLabel('Password').fill(told.password);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await page.getByRole('button', { name: `${told.user} in account` }).waitFor();
}

/** Checks that everybody can use the page as it is now, but for what a selector chooses: by axe-core, in light and in dark. */
export async function usable(page, name, but) {
  for (const scheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme: scheme });
    await picture(page, `${name}-${scheme}`);
    const found = await look(page, but);
    if (found.length > 0) throw new Error(`axe-core about ${name} (${scheme}):\n${found.join('\n')}`);
  }
  await page.emulateMedia({ colorScheme: 'light' });
}

async function look(page, but) {
  // A script element would be refused by the page's own policy; what the debugger evaluates is not.
  if (!(await page.evaluate(() => 'axe' in window))) await page.evaluate(await source());
  return page.evaluate(async (left) => {
    const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
    const { violations } = await window.axe.run(left ? { exclude: [left] } : document, { runOnly: tags });
    return violations.flatMap((v) => v.nodes.map((n) => `${v.id}: ${v.help}: ${n.html.slice(0, 300)} ${n.failureSummary}`));
  }, but);
}

let text;
async function source() {
  text ??= await readFile(axe, 'utf8');
  return text;
}

export function equal(what, got, want) {
  if (got !== want) throw new Error(`${what}: ${JSON.stringify(got)}, want ${JSON.stringify(want)}`);
}

/** Leaves the test what the story found out. */
export async function tell(found) {
  await writeFile(path.join(told.downloads, 'found.json'), JSON.stringify(found));
}
