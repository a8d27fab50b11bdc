import { equal, signIn, story, told, usable } from './story.mjs';
import { go, untilRunning } from './wizard.mjs';

// With manual deployment the person's own permissions do in place of a role.
await story(async (page) => {
  await signIn(page, `/services/create?image=${encodeURIComponent(told.image)}&name=${told.service}`);
  const own = page.getByRole('radio', { name: /^Use my own permissions/ });
  const automatic = page.getByRole('radio', { name: /^Automatic/ });
  await automatic.check();
  equal('own permissions with automatic deployment', await own.isDisabled(), true);
  await page.getByRole('radio', { name: /^Manual/ }).check();
  await own.check();
  equal('automatic deployment with own permissions', await automatic.isDisabled(), true);
  equal('a list of roles', await page.getByRole('button', { name: /^Service role/ }).count(), 0);
  await usable(page, 'own');
  await go(page, 'Next', 'Configure service');
  await go(page, 'Next', 'Review and create');
  await page.getByText('None: the rights of whoever deploys count').waitFor();
  await page.getByRole('button', { name: 'Create & deploy' }).click();
  await untilRunning(page, told.service);
  await page.getByRole('tab', { name: 'Configuration' }).click();
  await page.getByText('None: the rights of whoever deploys count').waitFor();
});
