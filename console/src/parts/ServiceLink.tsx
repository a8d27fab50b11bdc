import { resourceName } from '../words/arn';
import { RouteLink } from './RouteLink';

/** The name of a service, which leads to its dashboard. */
export function ServiceLink({ arn }: { arn: string }) {
  return <RouteLink to={`/services/${encodeURIComponent(arn)}`}>{resourceName(arn)}</RouteLink>;
}
