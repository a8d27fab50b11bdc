import { createContext, type ReactNode, use, useCallback, useEffect, useMemo, useState } from 'react';

import type { Settings } from './settings';
import type { Answer } from './signin';

/** The temporary credentials of the person who has signed in. */
export interface Credentials {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken: string;
  /** When they end, as RFC 3339. */
  expiration: string;
  arn: string;
}

/** Who has signed in, and where. */
export interface Session {
  credentials: Credentials;
  arn: string;
  account: string;
  /** Empty for root. */
  userName: string;
  region: string;
  setRegion: (region: string) => void;
  settings: Settings;
  /** Forgets the credentials; why is told on the sign-in page. */
  signOut: (why?: string) => void;
}

interface Door {
  settings: Settings;
  session: Session | undefined;
  /** Why the last session ended, if it was not the person's wish. */
  ended: string | undefined;
  enter: (answer: Answer) => void;
}

const DoorContext = createContext<Door | undefined>(undefined);
const kept = 'slipway.session';
const keptRegion = 'slipway.region';
const expired = 'Your session has ended. Sign in again.';

/** Keeps the session for as long as the browser's tab. */
export function SessionProvider({ settings, children }: { settings: Settings; children: ReactNode }) {
  const [credentials, setCredentials] = useState(readKept);
  const [region, setRegion] = useState(() => sessionStorage.getItem(keptRegion) ?? settings.Region);
  const [ended, setEnded] = useState<string>();

  const signOut = useCallback((why?: string) => {
    sessionStorage.removeItem(kept);
    setCredentials(undefined);
    setEnded(why);
  }, []);
  const enter = useCallback((answer: Answer) => {
    const made = credentialsOf(answer);
    sessionStorage.setItem(kept, JSON.stringify(made));
    setCredentials(made);
    setEnded(undefined);
  }, []);
  useEffect(() => endInTime(credentials, signOut), [credentials, signOut]);
  useEffect(() => { sessionStorage.setItem(keptRegion, region); }, [region]);

  const door = useMemo<Door>(() => ({
    settings, ended, enter,
    session: credentials && { credentials, ...namesOf(credentials.arn), region, setRegion, settings, signOut },
  }), [credentials, ended, enter, region, settings, signOut]);
  return <DoorContext value={door}>{children}</DoorContext>;
}

/** The session's door: whether somebody has signed in, and how to. */
export function useDoor(): Door {
  const door = use(DoorContext);
  if (!door) throw new Error('useDoor is used outside a SessionProvider');
  return door;
}

/** The session of the person who has signed in; only for what is shown behind the sign-in. */
export function useSession(): Session {
  const { session } = useDoor();
  if (!session) throw new Error('useSession is used where nobody has signed in');
  return session;
}

function readKept(): Credentials | undefined {
  const text = sessionStorage.getItem(kept);
  if (!text) return undefined;
  const credentials = JSON.parse(text) as Credentials;
  return Date.parse(credentials.expiration) > Date.now() ? credentials : undefined;
}

function credentialsOf({ Credentials: c, Arn: arn }: Answer): Credentials {
  if (!c || !arn) throw new Error('The answer has no credentials.');
  return { accessKeyId: c.AccessKeyId, secretAccessKey: c.SecretAccessKey, sessionToken: c.SessionToken, expiration: c.Expiration, arn };
}

/** Ends the session with its credentials. */
function endInTime(credentials: Credentials | undefined, signOut: (why: string) => void) {
  if (!credentials) return undefined;
  const timer = setTimeout(() => { signOut(expired); }, Date.parse(credentials.expiration) - Date.now());
  return () => { clearTimeout(timer); };
}

/** The names in the ARN of a user or of root. */
function namesOf(arn: string) {
  const [, , , , account = '', resource = ''] = arn.split(':');
  return { arn, account, userName: resource.startsWith('user/') ? resource.slice(resource.lastIndexOf('/') + 1) : '' };
}
