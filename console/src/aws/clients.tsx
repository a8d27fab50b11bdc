import { ACMClient } from '@aws-sdk/client-acm';
import { AppRunnerClient } from '@aws-sdk/client-apprunner';
import { CloudWatchClient } from '@aws-sdk/client-cloudwatch';
import { CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs';
import { EC2Client } from '@aws-sdk/client-ec2';
import { ECRClient } from '@aws-sdk/client-ecr';
import { IAMClient } from '@aws-sdk/client-iam';
import { KMSClient } from '@aws-sdk/client-kms';
import { STSClient } from '@aws-sdk/client-sts';
import { WAFV2Client } from '@aws-sdk/client-wafv2';
import { createContext, type ReactNode, use, useMemo } from 'react';

import { type Session, useSession } from '../session/session';
import { OwnClient } from './own';

/** A client for every AWS API that the console calls, all at this installation. */
export interface Clients {
  acm: ACMClient;
  apprunner: AppRunnerClient;
  cloudwatch: CloudWatchClient;
  /** CloudWatch of a region; without one, of the chosen. */
  cloudwatchIn: (region: string | undefined) => CloudWatchClient;
  ec2: EC2Client;
  ecr: ECRClient;
  iam: IAMClient;
  kms: KMSClient;
  logs: CloudWatchLogsClient;
  slipway: OwnClient;
  sts: STSClient;
  wafv2: WAFV2Client;
}

function makeClients(session: Session): Clients {
  const { credentials, region } = session;
  const { accessKeyId, secretAccessKey, sessionToken } = credentials;
  const config = {
    endpoint: location.origin, region, credentials: { accessKeyId, secretAccessKey, sessionToken }, maxAttempts: 2,
  };
  const cloudwatch = new CloudWatchClient(config);
  return {
    acm: new ACMClient(config),
    apprunner: new AppRunnerClient(config),
    cloudwatch,
    cloudwatchIn: (other = region) => (other === region ? cloudwatch : new CloudWatchClient({ ...config, region: other })),
    ec2: new EC2Client(config),
    ecr: new ECRClient(config),
    iam: new IAMClient({ ...config, region: 'us-east-1' }),
    kms: new KMSClient(config),
    logs: new CloudWatchLogsClient(config),
    slipway: new OwnClient(session),
    sts: new STSClient(config),
    wafv2: new WAFV2Client(config),
  };
}

const ClientsContext = createContext<Clients | undefined>(undefined);

/** Makes the clients once for each session and region. */
export function ClientsProvider({ children }: { children: ReactNode }) {
  const session = useSession();
  const clients = useMemo(() => makeClients(session), [session]);
  return <ClientsContext value={clients}>{children}</ClientsContext>;
}

/** The clients of the person who has signed in, in the chosen region. */
export function useClients(): Clients {
  const clients = use(ClientsContext);
  if (!clients) throw new Error('useClients is used outside a ClientsProvider');
  return clients;
}
