import DateRangePicker, { type DateRangePickerProps } from '@cloudscape-design/components/date-range-picker';
import SegmentedControl from '@cloudscape-design/components/segmented-control';
import SpaceBetween from '@cloudscape-design/components/space-between';

import { checkRange, type Duration, durations, type Range } from './window';

/** Chooses the time that graphs show: so long until now, or one of a person's own. */
export function RangeChoice({ range, change }: { range: Range; change: (range: Range) => void }) {
  return (
    <SpaceBetween direction="horizontal" size="xs" alignItems="end">
      <SegmentedControl
        label="Time" selectedId={'last' in range ? range.last : null} options={durations.map((id) => ({ id, text: id }))}
        onChange={({ detail }) => { change({ last: detail.selectedId as Duration }); }}
      />
      <OwnRange range={range} change={change} />
    </SpaceBetween>
  );
}

function OwnRange({ range, change }: { range: Range; change: (range: Range) => void }) {
  const value: DateRangePickerProps.Value | null = 'last' in range
    ? null
    : { type: 'absolute', startDate: new Date(range.from).toISOString(), endDate: new Date(range.to).toISOString() };
  return (
    <DateRangePicker
      value={value} relativeOptions={[]} rangeSelectorMode="absolute-only" absoluteFormat="slashed" hideTimeOffset isValidRange={check} showClearButton={false}
      ariaLabel="Custom time" placeholder="Custom"
      onChange={({ detail }) => { if (detail.value?.type === 'absolute') change({ from: Date.parse(detail.value.startDate), to: Date.parse(detail.value.endDate) }); }}
    />
  );
}

function check(value: DateRangePickerProps.Value | null): DateRangePickerProps.ValidationResult {
  if (value?.type !== 'absolute') return { valid: false, errorMessage: 'Choose when it begins and when it ends.' };
  const errorMessage = checkRange(Date.parse(value.startDate), Date.parse(value.endDate), Date.now());
  return errorMessage === undefined ? { valid: true } : { valid: false, errorMessage };
}
