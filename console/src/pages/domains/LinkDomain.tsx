import { AssociateCustomDomainCommand } from '@aws-sdk/client-apprunner';
import Checkbox from '@cloudscape-design/components/checkbox';
import FormField from '@cloudscape-design/components/form-field';
import Input from '@cloudscape-design/components/input';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';

import { useClients } from '../../aws/clients';
import { Dialog } from '../../parts/Dialog';
import { checkDomain } from './domains';

interface Props {
  serviceArn: string;
  dismiss: () => void;
  linked: (name: string) => void;
}

/** Asks for a domain, and links it to the service. */
export function LinkDomain({ serviceArn, dismiss, linked }: Props) {
  const { apprunner } = useClients();
  const cache = useQueryClient();
  const [name, setName] = useState('');
  const [www, setWww] = useState(false);
  const [tried, setTried] = useState(false);
  const wildcard = name.startsWith('*');
  const fault = checkDomain(name);
  const link = useMutation({
    mutationFn: () => apprunner.send(new AssociateCustomDomainCommand({ ServiceArn: serviceArn, DomainName: name, EnableWWWSubdomain: www && !wildcard })),
    onSuccess: async ({ CustomDomain: domain }) => {
      await cache.invalidateQueries({ queryKey: ['service', serviceArn, 'domains'] });
      linked(domain?.DomainName ?? name);
    },
  });
  const submit = () => {
    setTried(true);
    if (fault === '') link.mutate();
  };
  return (
    <Dialog header="Link domain" submitText="Link domain" submit={submit} dismiss={dismiss} busy={link.isPending} error={link.error}>
      <FormField label="Domain name" description="A root domain, a subdomain or a wildcard that you own." errorText={tried && fault} stretch>
        <Input value={name} placeholder="www.example.com" spellcheck={false} onChange={({ detail }) => { setName(detail.value.trim()); }} />
      </FormField>
      <Checkbox
        checked={www && !wildcard} disabled={wildcard} onChange={({ detail }) => { setWww(detail.checked); }}
        description={wildcard ? 'A wildcard covers www already.' : name === '' ? undefined : `www.${name} is linked, too.`}
      >
        Link the www subdomain, too
      </Checkbox>
    </Dialog>
  );
}
