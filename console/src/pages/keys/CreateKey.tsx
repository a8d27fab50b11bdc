import { type AccessKey, CreateAccessKeyCommand } from '@aws-sdk/client-iam';
import Alert from '@cloudscape-design/components/alert';
import Box from '@cloudscape-design/components/box';
import Button from '@cloudscape-design/components/button';
import CopyToClipboard from '@cloudscape-design/components/copy-to-clipboard';
import KeyValuePairs from '@cloudscape-design/components/key-value-pairs';
import { useMutation, useQueryClient } from '@tanstack/react-query';

import { useClients } from '../../aws/clients';
import { Dialog } from '../../parts/Dialog';
import { save } from '../../parts/save';

/** Makes an access key and shows it this once. */
export function CreateKey({ userName, close }: { userName: string; close: () => void }) {
  const { iam } = useClients();
  const cache = useQueryClient();
  const { mutate, data: key, error, isPending } = useMutation({
    gcTime: 0, // the secret is kept no longer than it is shown
    mutationFn: async () => (await iam.send(new CreateAccessKeyCommand({ UserName: userName }))).AccessKey,
    onSuccess: () => cache.invalidateQueries({ queryKey: ['keys'] }),
  });
  if (key) return <Made accessKey={key} close={close} />;
  return (
    <Dialog header="Create an access key?" submitText="Create" submit={() => { mutate(); }} dismiss={close} busy={isPending} error={error}>
      The key can do everything you can, until it is deleted. Its secret is shown once, in the next step.
    </Dialog>
  );
}

function Made({ accessKey, close }: { accessKey: AccessKey; close: () => void }) {
  const { AccessKeyId: id = '', SecretAccessKey: secret = '', UserName: userName = '' } = accessKey;
  return (
    <Dialog header="Your new access key" dismiss={close}>
      <Alert type="warning">The secret is shown this once. Copy it or download it now: after closing this, nobody can show it again.</Alert>
      <KeyValuePairs items={[{ label: 'Access key ID', value: <Copied text={id} what="access key ID" /> }, { label: 'Secret access key', value: <Copied text={secret} what="secret access key" /> }]} />
      <Box>
        <Button iconName="download" onClick={() => { save(`${userName}_accessKeys.csv`, 'text/csv', csvOf(id, secret)); }}>Download .csv file</Button>
      </Box>
    </Dialog>
  );
}

function Copied({ text, what }: { text: string; what: string }) {
  return <CopyToClipboard variant="inline" textToCopy={text} copyButtonAriaLabel={`Copy the ${what}`} copySuccessText="Copied" copyErrorText="Not copied: select the text and copy it" />;
}

/** The file that other tools import, as AWS's console writes it. */
function csvOf(id: string, secret: string): string {
  return `Access key ID,Secret access key\r\n${id},${secret}\r\n`;
}
