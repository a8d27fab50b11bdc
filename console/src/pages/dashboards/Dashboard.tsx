import Box from '@cloudscape-design/components/box';
import Button from '@cloudscape-design/components/button';
import ContentLayout from '@cloudscape-design/components/content-layout';
import Grid from '@cloudscape-design/components/grid';
import Header from '@cloudscape-design/components/header';
import SpaceBetween from '@cloudscape-design/components/space-between';
import Spinner from '@cloudscape-design/components/spinner';
import { useIsFetching, useQueryClient } from '@tanstack/react-query';
import { useMemo, useState } from 'react';
import { useParams } from 'react-router';

import { useFlashError } from '../../shell/flash';
import { InfoLink, usePage } from '../../shell/page';
import { PageError } from '../../shell/PageError';
import { RangeChoice } from '../metrics/RangeChoice';
import { Refresher } from '../metrics/Refresher';
import { useView } from '../metrics/view';
import { type Body, inOrder, readBody, usual, type Widget, without } from './body';
import { EditSource } from './EditSource';
import { help } from './help';
import { useChange, useDashboard } from './queries';
import { WidgetBox } from './WidgetBox';

const parents = [{ text: 'Dashboards', href: '/dashboards' }];

/** One dashboard. */
export default function Dashboard() {
  const { name = '' } = useParams();
  usePage(name, parents, help);
  const { data: text, error, refetch } = useDashboard(name);
  if (text === undefined) {
    return error ? <PageError header="The dashboard cannot be shown" error={error} retry={() => { void refetch(); }} /> : <Spinner size="large" />;
  }
  return <Shown key={name} name={name} text={text} />;
}

function Shown({ name, text }: { name: string; text: string }) {
  const [editing, setEditing] = useState(false);
  const view = useView();
  const cache = useQueryClient();
  const busy = useIsFetching({ queryKey: ['figures'] }) > 0;
  const refresh = () => { void cache.invalidateQueries({ queryKey: ['figures'] }); };
  return (
    <ContentLayout
      header={
        <Header
          variant="h1" info={<InfoLink help={help} about="dashboards" />}
          actions={
            <SpaceBetween direction="horizontal" size="xs">
              <Button onClick={() => { setEditing(true); }}>Edit source</Button>
              <Refresher every={view.every} change={view.setEvery} refresh={refresh} busy={busy} />
            </SpaceBetween>
          }
        >
          {name}
        </Header>
      }
    >
      <SpaceBetween size="l">
        <RangeChoice range={view.range} change={view.setRange} />
        <Widgets name={name} text={text} view={view} />
      </SpaceBetween>
      {editing && <EditSource name={name} text={text} close={() => { setEditing(false); }} />}
    </ContentLayout>
  );
}

function Widgets({ name, text, view: { range, every } }: { name: string; text: string; view: ReturnType<typeof useView> }) {
  const body = useMemo(() => read(text), [text]);
  const flashError = useFlashError();
  const { mutate } = useChange(() => {});
  if (body instanceof Error) return <Box>{body.message}</Box>;
  const widgets = inOrder(body.widgets);
  if (widgets.length === 0) return <Box textAlign="center" padding="xxl" color="text-body-secondary">The dashboard is empty. The Metrics tab of a service adds graphs to it.</Box>;
  const remove = (widget: Widget) => {
    mutate({ name, anew: true, to: () => without(body, widget) }, { onError: (error) => { flashError('The widget was not removed', error); } });
  };
  return (
    <Grid gridDefinition={widgets.map((widget) => ({ colspan: { default: 12, xs: columnsOf(widget) } }))}>
      {widgets.map((widget, i) => (
        <WidgetBox key={`${String(i)} ${JSON.stringify(widget)}`} widget={widget} periodOverride={body.periodOverride} range={range} every={every} remove={() => { remove(widget); }} />
      ))}
    </Grid>
  );
}

function read(text: string): Body | Error {
  try {
    return readBody(text);
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

/** Of the twelve columns of the page, for the 24 units of a dashboard; a graph that is narrower than a third cannot be read. */
function columnsOf({ width = usual.width }: Widget): number {
  return Math.min(12, Math.max(4, Math.round(width / 2)));
}
