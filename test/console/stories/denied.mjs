import { signIn, story, told, usable } from './story.mjs';

await story(async (page) => {
  await signIn(page);
  for (const { name, where, header, action } of told.pages) {
    await page.goto(`${told.url}/console${where}`);
    await page.getByText(header).first().waitFor();
    await page.getByText(`You need the permission ${action}`).first().waitFor();
    await page.getByText(new RegExp(`AccessDenied(Exception)?: User: arn:aws:iam::\\d{12}:user/\\w+ is not authorized to perform: ${action}`)).first().waitFor();
    await usable(page, name);
  }
});
