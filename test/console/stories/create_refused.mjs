import { equal, signIn, story, told, usable } from './story.mjs';
import { go } from './wizard.mjs';

// What only the API knows is told at the field it is about, and corrected there; all of it by keyboard.
await story(async (page) => {
  await signIn(page, `/services/create?image=${encodeURIComponent(told.image)}&name=${told.taken}`);
  await page.getByRole('button', { name: /^Service role AppRunnerECRAccessRole/ }).waitFor();
  await page.getByRole('button', { name: 'Next', exact: true }).focus();
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Configure service', level: 1 }).waitFor();
  await page.getByRole('button', { name: 'Next', exact: true }).focus();
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Review and create', level: 1 }).waitFor();
  await page.getByRole('button', { name: 'Create & deploy' }).focus();
  await page.keyboard.press('Enter');

  await page.getByRole('heading', { name: 'Configure service', level: 1 }).waitFor();
  const field = page.getByLabel('Service name');
  await page.getByText(`Service with the provided name already exists: ${told.taken}`).first().waitFor();
  equal('the field is marked', await field.getAttribute('aria-invalid'), 'true');
  await usable(page, 'taken');
  await field.fill(told.taken + '-2');
  equal('the mark goes', await field.getAttribute('aria-invalid'), null);
  await go(page, 'Next', 'Review and create');
  await page.getByRole('button', { name: 'Cancel' }).click();
  await page.getByRole('heading', { name: /^Services/, level: 1 }).waitFor();
});
