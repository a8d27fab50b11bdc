import Autosuggest from '@cloudscape-design/components/autosuggest';

import { faultOf } from '../../aws/errors';
import { useKeys } from './lists';

/** Chooses one of the region's keys; the ARN of any other can be typed. */
export function KeyChoice({ arn, choose }: { arn: string; choose: (arn: string) => void }) {
  const { data = [], isPending, error } = useKeys();
  return (
    <Autosuggest
      value={arn}
      options={data.map((key) => ({ value: key.arn, label: key.name, description: key.arn }))}
      placeholder="arn:aws:kms:…"
      empty="No keys"
      enteredTextLabel={(text) => `Use: ${text}`}
      clearAriaLabel="No key of yours"
      statusType={isPending ? 'loading' : error ? 'error' : 'finished'}
      loadingText="Loading keys"
      {...(error ? { errorText: `The keys cannot be listed, so type the ARN of one. ${faultOf(error).message}` } : {})}
      onChange={({ detail }) => { choose(detail.value.trim()); }}
    />
  );
}
