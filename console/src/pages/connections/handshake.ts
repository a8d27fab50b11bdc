import type { CompleteConnectionInput, ProviderCredential } from '../../aws/own';
import type { Faults } from '../service-form/checks';

/** What a person types for a handshake. */
export interface Handshake {
  kind: 'token' | 'password' | 'key';
  token: string;
  user: string;
  password: string;
  privateKey: string;
  knownHosts: string;
  repository: string;
  branch: string;
}

export const blankHandshake: Handshake = { kind: 'token', token: '', user: '', password: '', privateKey: '', knownHosts: '', repository: '', branch: 'main' };

export const kinds: { id: Handshake['kind']; text: string }[] = [
  { id: 'token', text: 'Token' }, { id: 'password', text: 'User and password' }, { id: 'key', text: 'Deploy key' },
];

/** What is wrong, by field. */
export function checkHandshake(h: Handshake): Faults {
  const required: Record<Handshake['kind'], [keyof Handshake, string][]> = {
    token: [['token', 'A token is required.']],
    password: [['user', 'A user is required.'], ['password', 'A password is required.']],
    key: [['privateKey', 'A private key is required.']],
  };
  const missing = required[h.kind].filter(([field]) => h[field].trim() === '');
  const branch: [string, string][] = h.repository !== '' && h.branch === '' ? [['branch', 'A branch is required to read the repository.']] : [];
  const encrypted: [string, string][] = h.kind === 'key' && h.privateKey.includes('ENCRYPTED') ? [['privateKey', 'The key has a passphrase. Give one without.']] : [];
  return Object.fromEntries([...missing, ...encrypted, ...branch]);
}

function credentialOf(h: Handshake): ProviderCredential {
  switch (h.kind) {
    case 'token':
      return { Token: h.token.trim() };
    case 'password':
      return { User: h.user.trim(), Password: h.password };
    case 'key':
      return { PrivateKey: h.privateKey.trimEnd() + '\n', ...(h.knownHosts.trim() === '' ? {} : { KnownHosts: h.knownHosts }) };
  }
}

/** The call for what was typed. */
export function handshakeInput(ConnectionArn: string, h: Handshake): CompleteConnectionInput {
  return { ConnectionArn, Credential: credentialOf(h), ...(h.repository === '' ? {} : { RepositoryUrl: h.repository, Branch: h.branch }) };
}
