/** What the installation tells everybody about itself. */
export interface Settings {
  /** The region it plays, which the console begins in. */
  Region: string;
  /** The account that the sign-in form proposes. */
  Account: string;
  /** The URL of every AWS API. */
  Endpoint: string;
  /** The certificate authority that command line tools must trust for Endpoint, a file on the installation's machine; empty for a public one. */
  CAFile: string;
  /** The port at which applications answer HTTPS. */
  HTTPSPort: number;
}

export async function readSettings(): Promise<Settings> {
  const answer = await fetch('/console/settings.json');
  if (!answer.ok) throw new Error(`The settings of the installation cannot be read: ${answer.status} ${answer.statusText}`);
  return (await answer.json()) as Settings;
}
