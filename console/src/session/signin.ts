/** One step of a sign-in. */
export interface Attempt {
  Mail?: string;
  Account?: string;
  UserName?: string;
  Password?: string;
  Ticket?: string;
  Code?: string;
  NewPassword?: string;
}

/** What the server says to a step: credentials, or a ticket for what else it needs. */
export interface Answer {
  Credentials?: { AccessKeyId: string; SecretAccessKey: string; SessionToken: string; Expiration: string };
  Arn?: string;
  NeedsCode?: boolean;
  NeedsNewPassword?: boolean;
  Ticket?: string;
  Code?: string;
  Message?: string;
}

/** Takes one step of a sign-in. A refusal is an answer with a message. */
export async function signIn(attempt: Attempt): Promise<Answer> {
  try {
    const answer = await fetch('/console/signin', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(attempt),
    });
    return (await answer.json()) as Answer;
  } catch (error) {
    return { Message: `Slipway does not answer: ${error instanceof Error ? error.message : String(error)}` };
  }
}
