import { equal, signIn, story, told, usable } from './story.mjs';
import { choose, go, unfold, untilRunning } from './wizard.mjs';

await story(async (page) => {
  await signIn(page, '/services/create');
  const next = page.getByRole('button', { name: 'Next', exact: true });
  const uri = page.getByLabel('Container image URI');

  // Source: automatic deployment is not to be had for public images, nor for those of other accounts.
  await page.getByRole('radio', { name: /^Amazon ECR Public/ }).check();
  equal('automatic for a public image', await page.getByRole('radio', { name: /^Automatic/ }).isDisabled(), true);
  equal('a role for a public image', await page.getByText('ECR access role').count(), 0);
  await uri.fill('example.com/app');
  await next.click();
  await page.getByText('"example.com/app" is no public image').waitFor();
  await usable(page, 'source-refused');
  await page.getByRole('radio', { name: 'Amazon ECR', exact: true }).check();
  await uri.fill('210987654321.dkr.ecr.us-east-1.amazonaws.com/app');
  equal('automatic for another account', await page.getByRole('radio', { name: /^Automatic/ }).isDisabled(), true);

  // The image is found in the registry.
  await page.getByRole('button', { name: 'Browse' }).click();
  await choose(page, 'Image repository', 'app');
  await choose(page, 'Image tag', 'v1');
  await usable(page, 'browse');
  await page.getByRole('button', { name: 'Continue' }).click();
  equal('the image', await uri.inputValue(), told.image);
  await page.getByRole('radio', { name: /^Automatic/ }).check();

  // The role that there is is proposed; a new one is asked for.
  await page.getByRole('button', { name: /^Service role AppRunnerECRAccessRole/ }).waitFor();
  await page.getByRole('radio', { name: /^Create new service role/ }).check();
  equal('the proposed role', await page.getByLabel('Service role name').inputValue(), 'AppRunnerECRAccessRole2');
  await usable(page, 'source');
  await page.getByRole('button', { name: 'Info about Source and deployment' }).click();
  await page.getByRole('heading', { name: 'Source and deployment', level: 2 }).waitFor();
  await page.getByRole('button', { name: 'Close help' }).click();
  await go(page, 'Next', 'Configure service');

  // Service: only the name is missing.
  await next.click();
  await page.getByText('"" is not allowed; use 4 to 40 letters').waitFor();
  equal('the focus', await page.getByLabel('Service name').evaluate((field) => field === document.activeElement), true);
  equal('what is missing', await page.getByText(/is not allowed|is required/).count(), 1);
  await page.getByLabel('Service name').fill(told.service);
  await page.getByRole('button', { name: /^Virtual CPU 1 vCPU/ }).waitFor();
  await page.getByRole('button', { name: /^Virtual memory 2 GB/ }).waitFor();
  await choose(page, 'Virtual CPU', '0.25 vCPU');
  await page.getByRole('button', { name: /^Virtual memory 0.5 GB/ }).waitFor();

  await page.getByRole('button', { name: 'Add environment variable' }).click();
  await page.getByLabel('Name', { exact: true }).fill('PORT');
  await page.getByLabel('Value', { exact: true }).fill('blue');
  await next.click();
  await page.getByText('PORT is reserved').waitFor();
  await page.getByLabel('Name', { exact: true }).fill('COLOUR');

  await unfold(page, 'Auto scaling');
  equal('the proposed auto scaling', await page.getByRole('radio', { name: /^Default configuration/ }).isChecked(), true);
  await page.getByRole('radio', { name: /^Existing configuration/ }).check();
  await page.getByRole('button', { name: /^Configuration Choose a configuration/ }).click();
  await page.getByRole('option', { name: /^DefaultConfiguration, revision 1/ }).waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('radio', { name: /^New custom configuration/ }).check();
  await page.getByLabel('Configuration name').fill(told.scaling);
  await page.getByLabel('Concurrency').fill('50');
  await page.getByLabel('Minimum size').fill('3');
  await page.getByLabel('Maximum size').fill('2');
  await next.click();
  await page.getByText('The maximum size is smaller').waitFor();
  await page.getByLabel('Minimum size').fill('1');

  await unfold(page, 'Health check');
  const number = (label) => page.getByLabel(label, { exact: true });
  for (const [label, value] of Object.entries({ Timeout: '5', Interval: '10', 'Unhealthy threshold': '5', 'Healthy threshold': '1' })) {
    equal(label, await number(label).inputValue(), value);
  }
  await number('Interval').fill('4');
  await next.click();
  await page.getByText('Interval 4 s is smaller than timeout 5 s').waitFor();
  await number('Interval').fill('10');
  await page.getByRole('radio', { name: 'HTTP', exact: true }).check();
  await number('Path').fill('/health');

  await unfold(page, 'Security');
  await page.getByLabel('AWS KMS key').click();
  equal('keys that are kept for AWS services', await page.getByRole('option', { name: /alias\/aws/ }).count(), 0);
  await page.getByRole('option', { name: told.alias }).waitFor();
  await usable(page, 'keys');
  await page.getByRole('option', { name: told.alias }).click();
  equal('the chosen key', await page.getByLabel('AWS KMS key').inputValue(), told.key);
  await choose(page, 'AWS WAF web ACL', told.acl);
  await unfold(page, 'Networking');
  equal('incoming traffic', await page.getByRole('radio', { name: /^Public endpoint/ }).isChecked(), true);
  await page.getByRole('radio', { name: /^Private endpoint/ }).waitFor();
  await unfold(page, 'Beyond App Runner');
  await page.getByLabel('Request timeout').fill('2h');
  await next.click();
  await page.getByText('Value "2h" is not allowed').waitFor();
  await page.getByLabel('Request timeout').fill('90s');
  await page.getByRole('checkbox', { name: /^Sticky sessions/ }).check();
  await unfold(page, 'Tags');
  await page.getByRole('button', { name: 'Add tag' }).click();
  await page.getByRole('textbox', { name: 'Key', exact: true }).fill('aws:team');
  await page.getByRole('textbox', { name: 'Value - optional' }).fill('shop');
  await next.click();
  await page.getByText('"aws:team" begins with aws:').waitFor();
  await usable(page, 'service-refused');
  await page.getByRole('textbox', { name: 'Key', exact: true }).fill('team');

  // Going back and forth keeps what was typed.
  await go(page, 'Previous', 'Source and deployment');
  equal('the image after going back', await uri.inputValue(), told.image);
  await go(page, 'Next', 'Configure service');
  equal('the name after going back', await page.getByLabel('Service name').inputValue(), told.service);
  await usable(page, 'service');
  await go(page, 'Next', 'Review and create');
  for (const text of [told.image, 'AppRunnerECRAccessRole2 (new)', 'Automatic', told.service, '0.25 vCPU, 0.5 GB', `${told.scaling} (new): concurrency 50, 1 to 2 instances`,
    'HTTP /health; timeout 5 s, interval 10 s, unhealthy 5, healthy 1', told.acl, '90s', 'shop']) {
    await page.getByText(text, { exact: true }).waitFor();
  }
  await page.getByRole('button', { name: 'Cancel' }).waitFor();
  await usable(page, 'review');

  await page.getByRole('button', { name: 'Create & deploy' }).click();
  const domain = await untilRunning(page, told.service);
  equal('the default domain', new URL(domain).protocol, 'https:');
  await usable(page, 'dashboard');
});
