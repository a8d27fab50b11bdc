// Opens WebSockets in Chromium on a page of their service, says something over them and closes them; prints what came of it. A browser drops
// all its connections when a network of the machine comes or goes, as they do beside this test: then it begins again.
import { createRequire } from 'node:module';

const told = JSON.parse(process.env.STORY);
const { chromium } = createRequire(told.packages)('playwright-core');
const browser = await chromium.launch({
  executablePath: told.chromium,
  args: ['--no-sandbox', '--ignore-certificate-errors', `--host-resolver-rules=MAP ${told.host} ${told.address}`],
});

const talk = (page) => page.evaluate(() => new Promise((resolve) => {
  const large = 'x'.repeat(1 << 20);
  const ws = new WebSocket(`wss://${location.host}/long/socket`, 'chat');
  const got = [];
  ws.onopen = () => ws.send(large);
  ws.onmessage = (m) => {
    got.push(m.data === large ? 'large' : m.data);
    ws.send(got.length === 1 ? 'small' : 'close 4321 as you wish');
  };
  ws.onclose = (e) => resolve([ws.protocol, ...got, e.code, e.reason, e.wasClean].join(' '));
}));

const attempt = async (page) => {
  try {
    await page.goto(`https://${told.host}/`);
    return await Promise.all([talk(page), talk(page), talk(page)]);
  } catch (error) {
    if (String(error).includes('ERR_NETWORK_CHANGED')) return [' 1006 '];
    throw error;
  }
};

try {
  const page = await browser.newPage({ ignoreHTTPSErrors: true });
  let said = [' 1006 '];
  for (let tries = 0; tries < 50 && said.some((s) => s.includes(' 1006 ')); tries++) said = await attempt(page);
  console.log(said.join('\n'));
  console.log(await page.evaluate(() => new Promise((resolve) => {
    const ws = new WebSocket(`wss://${location.host}/`); // a page that is no WebSocket
    ws.onopen = () => resolve('open');
    ws.onerror = () => resolve('refused');
  })));
} finally {
  await browser.close();
}
