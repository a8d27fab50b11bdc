import FormField from '@cloudscape-design/components/form-field';
import Input from '@cloudscape-design/components/input';
import SpaceBetween from '@cloudscape-design/components/space-between';
import Textarea from '@cloudscape-design/components/textarea';

import type { Faults } from '../service-form/checks';
import type { Handshake } from './handshake';
import type { providerOf } from './provider';

interface Props {
  values: Handshake;
  faults: Faults;
  set: (changed: Partial<Handshake>) => void;
  provider: ReturnType<typeof providerOf>;
}

/** The fields of the chosen kind of credential. */
export function CredentialFields({ values, faults, set, provider }: Props) {
  switch (values.kind) {
    case 'token':
      return (
        <FormField label="Token" description={provider.token} errorText={faults['token']} stretch>
          <Input type="password" autoComplete="off" value={values.token} onChange={({ detail }) => { set({ token: detail.value }); }} />
        </FormField>
      );
    case 'password':
      return (
        <SpaceBetween size="l">
          <FormField label="User" errorText={faults['user']} stretch>
            <Input autoComplete="off" spellcheck={false} value={values.user} onChange={({ detail }) => { set({ user: detail.value }); }} />
          </FormField>
          <FormField label="Password" description="Or an app password, where the provider has them." errorText={faults['password']} stretch>
            <Input type="password" autoComplete="off" value={values.password} onChange={({ detail }) => { set({ password: detail.value }); }} />
          </FormField>
        </SpaceBetween>
      );
    case 'key':
      return (
        <SpaceBetween size="l">
          <FormField label="Private key" description="In PEM or OpenSSH form, without a passphrase. Services then need the repository's SSH URL." errorText={faults['privateKey']} stretch>
            <Textarea rows={6} spellcheck={false} autoComplete="off" placeholder="-----BEGIN OPENSSH PRIVATE KEY-----" value={values.privateKey} onChange={({ detail }) => { set({ privateKey: detail.value }); }} />
          </FormField>
          <FormField label={<>Known hosts <i>- optional</i></>} description="Lines of a known_hosts file. Without them a host is believed at first sight." stretch>
            <Textarea rows={2} spellcheck={false} autoComplete="off" value={values.knownHosts} onChange={({ detail }) => { set({ knownHosts: detail.value }); }} />
          </FormField>
        </SpaceBetween>
      );
  }
}
