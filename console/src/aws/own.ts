import { Sha256Js } from '@smithy/core/checksum';
import { SignatureV4 } from '@smithy/signature-v4';

import type { Session } from '../session/session';

/** What opens the repositories of a connection: a token, a user with a password, or a deploy key. */
export interface ProviderCredential {
  Token?: string;
  User?: string;
  Password?: string;
  /** PEM or OpenSSH form, without a passphrase. */
  PrivateKey?: string;
  /** The known_hosts lines that a deploy key trusts. */
  KnownHosts?: string;
}

export interface CompleteConnectionInput {
  ConnectionArn: string;
  Credential: ProviderCredential;
  /** A repository that is read once with the credential, to see whether the provider accepts it. */
  RepositoryUrl?: string;
  Branch?: string;
}

export interface CompleteConnectionOutput {
  Connection: { ConnectionArn: string; ConnectionName: string; Status: 'AVAILABLE' | 'ERROR' };
}

/** Slipway's own API, for which there is no client in the SDK. Its calls are signed like any other. */
export class OwnClient {
  readonly #signer: SignatureV4;

  constructor({ credentials: { accessKeyId, secretAccessKey, sessionToken }, region }: Session) {
    this.#signer = new SignatureV4({ service: 'slipway', region, credentials: { accessKeyId, secretAccessKey, sessionToken }, sha256: Sha256Js });
  }

  completeConnection(input: CompleteConnectionInput): Promise<CompleteConnectionOutput> {
    return this.#call<CompleteConnectionOutput>('CompleteConnection', input);
  }

  async #call<Out>(action: string, input: object): Promise<Out> {
    const { protocol, hostname, port, host } = location;
    const body = JSON.stringify(input);
    const { headers } = await this.#signer.sign({
      method: 'POST', protocol, hostname, ...(port ? { port: Number(port) } : {}), path: '/', query: {}, body,
      headers: { host, 'content-type': 'application/x-amz-json-1.0', 'x-amz-target': `Slipway.${action}` },
    });
    delete headers['host']; // the browser sets it, to the same
    const answer = await fetch('/', { method: 'POST', headers, body });
    const out = (await answer.json()) as object;
    if (!answer.ok) throw ownError(out, answer.status);
    return out as Out;
  }
}

/** An error in the form of those of the SDK, which all of the console understands. */
function ownError(fault: { __type?: string; Message?: string; message?: string }, httpStatusCode: number): Error {
  const error = new Error(fault.Message ?? fault.message ?? `The answer has status ${String(httpStatusCode)}.`);
  error.name = fault.__type?.split('#').pop() ?? 'Error';
  return Object.assign(error, { $metadata: { httpStatusCode } });
}
