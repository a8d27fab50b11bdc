import { signIn, story, told, usable } from './story.mjs';

await story(async (page) => {
  await signIn(page, `/services/${encodeURIComponent(told.arn)}`);
  await page.getByRole('button', { name: 'Deploy', exact: true }).click();
  await page.getByText('The deployment was not started').waitFor();
  await page.getByText(/AccessDeniedException: User: .* is not authorized to perform: apprunner:StartDeployment/).waitFor();
  await usable(page, 'refused');
});
