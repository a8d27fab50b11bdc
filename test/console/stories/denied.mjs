import { signIn, story, told, usable } from './story.mjs';

await story(async (page) => {
  await signIn(page, told.where);
  await page.getByText(told.header).first().waitFor();
  await page.getByText(`You need the permission ${told.action}`).first().waitFor();
  await page.getByText(new RegExp(`AccessDenied(Exception)?: User: arn:aws:iam::\\d{12}:user/\\w+ is not authorized to perform: ${told.action}`)).first().waitFor();
  await usable(page, 'denied');
});
