import type { Session } from '../../session/session';

/** Where settings go: into a shell of a kind, or a file of the AWS CLI. */
export type Shell = 'sh' | 'powershell' | 'profile';

/** Settings that make the AWS CLI and every SDK use a session. */
export function settingsFor(shell: Shell, session: Session): string {
  if (shell === 'profile') return profile(session);
  const form = shell === 'sh' ? (name: string, value: string) => `export ${name}='${value}'` : (name: string, value: string) => `$Env:${name} = '${value}'`;
  return variables(session).map(([name, value]) => form(name, value)).join('\n');
}

function variables({ credentials: c, region, settings }: Session): [string, string][] {
  const all: [string, string][] = [
    ['AWS_ENDPOINT_URL', settings.Endpoint],
    ['AWS_ACCESS_KEY_ID', c.accessKeyId],
    ['AWS_SECRET_ACCESS_KEY', c.secretAccessKey],
    ['AWS_SESSION_TOKEN', c.sessionToken],
    ['AWS_REGION', region],
    ['AWS_DEFAULT_REGION', region],
    ['AWS_CA_BUNDLE', settings.CAFile],
  ];
  return all.filter(([, value]) => value);
}

function profile({ credentials: c, region, settings }: Session): string {
  const lines = [
    '[profile slipway]',
    `endpoint_url = ${settings.Endpoint}`,
    `region = ${region}`,
    `aws_access_key_id = ${c.accessKeyId}`,
    `aws_secret_access_key = ${c.secretAccessKey}`,
    `aws_session_token = ${c.sessionToken}`,
    ...(settings.CAFile ? [`ca_bundle = ${settings.CAFile}`] : []),
  ];
  return lines.join('\n');
}
