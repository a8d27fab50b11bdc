import ButtonDropdown, { type ButtonDropdownProps } from '@cloudscape-design/components/button-dropdown';

const seconds = [10, 60, 300];

/** How often graphs are drawn anew at first, in milliseconds: figures are kept by the minute. */
export const everyMinute = 60_000;

interface Props {
  /** In milliseconds; false for never. */
  every: number | false;
  change: (every: number | false) => void;
  refresh: () => void;
  busy: boolean;
}

/** Brings graphs up to date, now and by itself. */
export function Refresher({ every, change, refresh, busy }: Props) {
  const items: ButtonDropdownProps.CheckboxItem[] = [
    { id: 'off', text: 'Off', itemType: 'checkbox', checked: every === false },
    ...seconds.map((s): ButtonDropdownProps.CheckboxItem => ({ id: String(s), text: `Every ${wordsOf(s)}`, itemType: 'checkbox', checked: every === s * 1000 })),
  ];
  return (
    <ButtonDropdown
      items={items} ariaLabel="Refresh by itself" expandToViewport
      mainAction={{ iconName: 'refresh', ariaLabel: 'Refresh the graphs', loading: busy, loadingText: 'Loading the graphs', onClick: refresh }}
      onItemClick={({ detail }) => { change(detail.id === 'off' ? false : Number(detail.id) * 1000); }}
    />
  );
}

function wordsOf(s: number): string {
  if (s < 60) return `${String(s)} seconds`;
  return s === 60 ? 'minute' : `${String(s / 60)} minutes`;
}
