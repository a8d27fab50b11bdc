import { equal, signIn, story, told, usable } from './story.mjs';
import { choose, go, untilRunning } from './wizard.mjs';

await story(async (page) => {
  await signIn(page, '/services/create');
  await page.getByRole('radio', { name: /^Source code repository/ }).check();

  // A new provider account: the wizard makes the connection and asks for its credential.
  await page.getByRole('button', { name: 'Add new' }).click();
  await page.getByRole('dialog', { name: 'Add a connection' }).getByLabel('Connection name').fill(told.connection);
  await page.getByRole('button', { name: 'Add connection' }).click();
  const handshake = page.getByRole('dialog', { name: `Complete handshake: ${told.connection}` });
  await handshake.getByRole('button', { name: 'Cancel' }).click();
  await page.getByText('The handshake is not complete').waitFor();
  await usable(page, 'unfinished');
  await page.getByRole('button', { name: 'Complete handshake' }).click();
  await handshake.getByRole('textbox', { name: 'Token' }).fill(told.token);
  await handshake.getByRole('button', { name: 'Complete handshake' }).click();
  await page.getByText('The handshake is not complete').waitFor({ state: 'hidden' });
  await page.getByRole('button', { name: new RegExp(`^Connection to a provider ${told.connection}`) }).waitFor();

  await page.getByLabel('Repository', { exact: true }).fill(told.repository);
  await page.getByLabel('Branch').fill('');
  await page.getByRole('button', { name: 'Next', exact: true }).click();
  await page.getByText('A branch is required.').waitFor();
  await page.getByLabel('Branch').fill('main');
  equal('the source directory', await page.getByLabel('Source directory').inputValue(), '/');
  await page.getByRole('radio', { name: /^Manual/ }).check();
  await usable(page, 'source');
  await go(page, 'Next', 'Configure build');

  // With a configuration file there is nothing to type.
  await page.getByRole('radio', { name: /^Use a configuration file/ }).check();
  equal('fields of a build from a file', await page.getByLabel(/Runtime|Build command|Start command|Port/).count(), 0);
  await usable(page, 'file');
  await go(page, 'Next', 'Configure service');
  equal('fields that come from the file', await page.getByLabel(/^(Port|Start command)/).or(page.getByRole('button', { name: 'Add environment variable' })).count(), 0);
  await go(page, 'Previous', 'Configure build');

  await page.getByRole('radio', { name: /^Configure all settings here/ }).check();
  await page.getByRole('button', { name: 'Next', exact: true }).click();
  await page.getByText('A runtime is required.').waitFor();
  await page.getByText('A start command is required').waitFor();
  await choose(page, 'Runtime', 'Python 3.11');
  await page.getByLabel(/^Build command/).fill('echo built > built.txt');
  await page.getByLabel('Start command').fill('python3 server.py');
  await page.getByLabel('Port', { exact: true }).fill('70000');
  await page.getByRole('button', { name: 'Next', exact: true }).click();
  await page.getByText('"70000" is not allowed; a port is a whole number from 1 to 65535.').waitFor();
  await page.getByLabel('Port', { exact: true }).fill('8000');
  await usable(page, 'build');
  await go(page, 'Next', 'Configure service');
  await page.getByLabel('Service name').fill(told.service);
  await go(page, 'Next', 'Review and create');
  for (const text of [told.repository, told.connection, 'Python 3.11', 'echo built > built.txt', 'python3 server.py', '8000']) {
    await page.getByText(text, { exact: true }).first().waitFor();
  }
  await usable(page, 'review');
  await page.getByRole('button', { name: 'Create & deploy' }).click();
  await untilRunning(page, told.service);
});
