import Box from '@cloudscape-design/components/box';
import Pagination from '@cloudscape-design/components/pagination';
import Table from '@cloudscape-design/components/table';
import { useState } from 'react';

import { shownTime } from '../../words/time';
import { type Line, rowsOf, shownFigure } from './graph';

const perPage = 8;

/** What a graph draws, as figures. */
export function FigureTable({ title, lines }: { title: string; lines: readonly Line[] }) {
  const [page, setPage] = useState(1);
  const rows = rowsOf(lines);
  const pages = Math.max(1, Math.ceil(rows.length / perPage));
  const at = Math.min(page, pages);
  return (
    <Table
      variant="embedded"
      items={rows.slice((at - 1) * perPage, at * perPage)}
      trackBy={(row) => String(row.at)}
      ariaLabels={{ tableLabel: title }}
      empty={<Box textAlign="center" color="inherit">Nothing was measured in this time.</Box>}
      columnDefinitions={[
        { id: 'time', header: 'Time', isRowHeader: true, cell: (row) => shownTime(row.at).slice(0, 16) },
        ...lines.map(({ title: header, unit }, i) => ({
          id: String(i), header, cell: ({ values }: (typeof rows)[number]) => { const value = values[i]; return value === undefined ? '–' : shownFigure(value, unit); },
        })),
      ]}
      pagination={
        <Pagination
          currentPageIndex={at} pagesCount={pages} onChange={({ detail }) => { setPage(detail.currentPageIndex); }}
          ariaLabels={{ nextPageLabel: `Next page of ${title}`, previousPageLabel: `Previous page of ${title}`, pageLabel: (n) => `Page ${String(n)} of ${title}` }}
        />
      }
    />
  );
}
