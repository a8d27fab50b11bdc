import DateRangePicker, { type DateRangePickerProps } from '@cloudscape-design/components/date-range-picker';

import type { Range } from './range';

const options: DateRangePickerProps.RelativeOption[] = [
  { key: '15m', amount: 15, unit: 'minute', type: 'relative' },
  { key: '1h', amount: 1, unit: 'hour', type: 'relative' },
  { key: '12h', amount: 12, unit: 'hour', type: 'relative' },
  { key: '1d', amount: 1, unit: 'day', type: 'relative' },
  { key: '7d', amount: 7, unit: 'day', type: 'relative' },
];

function check(range: Range): DateRangePickerProps.ValidationResult {
  if (range?.type === 'absolute' && !(Date.parse(range.startDate) <= Date.parse(range.endDate))) {
    return { valid: false, errorMessage: 'The time has to end after it begins.' };
  }
  return { valid: true };
}

/** Chooses the time whose lines are shown. */
export function RangePicker({ range, change }: { range: Range; change: (range: Range) => void }) {
  return (
    <DateRangePicker
      value={range}
      relativeOptions={options}
      isValidRange={check}
      placeholder="All times"
      ariaLabel="Time"
      onChange={({ detail }) => { change(detail.value); }}
      i18nStrings={{
        formatRelativeRange: ({ amount, unit }) => `Last ${amount === 1 ? unit : `${String(amount)} ${unit}s`}`,
        formatUnit: (unit, amount) => (amount === 1 ? unit : `${unit}s`),
        clearButtonLabel: 'All times',
      }}
    />
  );
}
