import { useCollection } from '@cloudscape-design/collection-hooks';
import Box from '@cloudscape-design/components/box';
import Button from '@cloudscape-design/components/button';
import Header from '@cloudscape-design/components/header';
import Pagination from '@cloudscape-design/components/pagination';
import SpaceBetween from '@cloudscape-design/components/space-between';
import Table, { type TableProps } from '@cloudscape-design/components/table';
import TextFilter from '@cloudscape-design/components/text-filter';
import type { UseQueryResult } from '@tanstack/react-query';
import type { ReactNode } from 'react';

import { ErrorAlert } from '../shell/ErrorAlert';
import { PageError } from '../shell/PageError';

interface Props<T> {
  title: string;
  /** What one of them and several are called, such as "connection" and "connections". */
  noun: string;
  nouns: string;
  description?: ReactNode;
  info?: ReactNode;
  query: UseQueryResult<T[]>;
  columns: readonly TableProps.ColumnDefinition<T>[];
  idOf: (item: T) => string;
  /** What people call an item: it is sorted by this at first, and announced when the item is chosen. */
  nameOf: (item: T) => string;
  /** The id of the chosen item, and how one is chosen; without these, none can be. */
  selected?: string;
  select?: (id: string) => void;
  /** The order at first, where it is not that of the names. */
  order?: (a: T, b: T) => number;
  /** Buttons above the table. */
  actions: ReactNode;
  /** What stands in an empty table: the way to the first item. */
  start?: ReactNode;
  variant?: TableProps.Variant;
}

const perPage = 20;

/** A list of records, one of which can be chosen: with a filter over all shown values, sorting, and pages. */
export function RecordTable<T>(props: Props<T>) {
  const { title, noun, nouns, query, columns, idOf, nameOf, selected, select, actions, start } = props;
  const all = query.data ?? [];
  const { items, collectionProps, filterProps, paginationProps, filteredItemsCount, actions: filter } = useCollection(all, {
    filtering: {
      empty: <Nothing text={`No ${nouns}`}>{start}</Nothing>,
      noMatch: <Nothing text="No matches"><Button onClick={() => { filter.setFiltering(''); }}>Clear filter</Button></Nothing>,
    },
    pagination: { pageSize: perPage },
    sorting: { defaultState: { sortingColumn: { sortingComparator: props.order ?? ((a: T, b: T) => nameOf(a).localeCompare(nameOf(b))) } } },
  });
  if (query.error && !query.data) {
    const Shown = props.variant === 'container' ? ErrorAlert : PageError;
    return <Shown header={`The ${nouns} cannot be listed`} error={query.error} retry={() => { void query.refetch(); }} />;
  }
  return (
    <Table
      {...collectionProps}
      variant={props.variant ?? 'full-page'}
      items={items}
      columnDefinitions={columns}
      trackBy={idOf}
      loading={query.isPending}
      loadingText={`Loading ${nouns}`}
      {...(select ? { selectionType: 'single' } : {})}
      selectedItems={all.filter((item) => idOf(item) === selected)}
      onSelectionChange={({ detail }) => { select?.(detail.selectedItems.map(idOf)[0] ?? ''); }}
      ariaLabels={{ tableLabel: title, selectionGroupLabel: `Choose a ${noun}`, itemSelectionLabel: (_, item) => nameOf(item) }}
      header={
        <Header
          variant={props.variant === 'container' ? 'h2' : 'awsui-h1-sticky'}
          counter={query.data ? `(${String(all.length)})` : ''}
          description={props.description}
          info={props.info}
          actions={<Actions refresh={() => { void query.refetch(); }} busy={query.isFetching} nouns={nouns}>{actions}</Actions>}
        >
          {title}
        </Header>
      }
      filter={
        <TextFilter
          {...filterProps}
          filteringPlaceholder={`Find ${nouns}`}
          filteringAriaLabel={`Find ${nouns}`}
          filteringClearAriaLabel="Clear filter"
          countText={`${String(filteredItemsCount ?? 0)} ${filteredItemsCount === 1 ? 'match' : 'matches'}`}
        />
      }
      pagination={<Pagination {...paginationProps} ariaLabels={{ nextPageLabel: 'Next page', previousPageLabel: 'Previous page', pageLabel: (page) => `Page ${String(page)}` }} />}
    />
  );
}

function Actions({ refresh, busy, nouns, children }: { refresh: () => void; busy: boolean; nouns: string; children: ReactNode }) {
  return (
    <SpaceBetween direction="horizontal" size="xs">
      <Button iconName="refresh" ariaLabel={`Refresh the ${nouns}`} loading={busy} loadingText={`Loading the ${nouns}`} onClick={refresh} />
      {children}
    </SpaceBetween>
  );
}

function Nothing({ text, children }: { text: string; children?: ReactNode }) {
  return (
    <Box textAlign="center" padding={{ vertical: 's' }}>
      <SpaceBetween size="s">
        <Box variant="strong">{text}</Box>
        {children}
      </SpaceBetween>
    </Box>
  );
}
