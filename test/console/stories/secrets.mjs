import { equal, signIn, story, told, usable } from './story.mjs';

await story(async (page) => {
  await signIn(page, `/services/${encodeURIComponent(told.arn)}/configuration`);
  await page.getByText(`Secrets Manager: ${told.secret}`).waitFor();
  await page.getByText('SSM Parameter Store: /console/flag').waitFor();
  equal('a value that is shown', await page.getByText('from-the-vault').count(), 0);

  await page.getByRole('button', { name: 'Edit Configure service', exact: true }).click();
  const sources = page.getByRole('button', { name: /(Plain text|Secrets Manager|SSM Parameter Store)/ });
  await sources.first().waitFor();
  equal('the sources of the variables', (await sources.allInnerTexts()).join(', '), 'SSM Parameter Store, Secrets Manager');
  await page.getByRole('button', { name: 'Add environment variable' }).click();
  const last = (label) => page.getByLabel(label, { exact: true }).last();
  await page.getByRole('button', { name: /Plain text/ }).click();
  await page.getByRole('option', { name: 'SSM Parameter Store' }).click();
  await last('Name').fill('TOKEN');
  await last('Value').fill('not a name');
  const save = page.getByRole('button', { name: 'Save changes' });
  await save.click();
  await page.getByText('Must be the name or the ARN of an SSM parameter.').waitFor();
  await usable(page, 'refused');
  await last('Value').fill('/console/token');
  await save.click();
  await page.getByText('SSM Parameter Store: /console/token').waitFor();
  await usable(page, 'saved');
});
