import { useState } from 'react';
import { useSearchParams } from 'react-router';

import { everyMinute } from './Refresher';
import { type Range, rangeText, readRange } from './window';

/** What time graphs show, which stands in the page's address, and how often they are drawn anew. */
export function useView() {
  const [search, setSearch] = useSearchParams();
  const [every, setEvery] = useState<number | false>(everyMinute);
  const text = search.get('time');
  return {
    range: readRange(text, Date.now()), every, setEvery,
    setRange: (range: Range) => { setSearch({ time: rangeText(range) }, { replace: true, preventScrollReset: true }); },
  };
}
