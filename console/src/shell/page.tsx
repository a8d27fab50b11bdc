import type { BreadcrumbGroupProps } from '@cloudscape-design/components/breadcrumb-group';
import HelpPanel from '@cloudscape-design/components/help-panel';
import Link from '@cloudscape-design/components/link';
import { createContext, type ReactNode, use, useEffect, useMemo, useState } from 'react';

/** What the help pane shows. */
export interface Help {
  header: string;
  content: ReactNode;
}

interface Page {
  title: string;
  /** The way from the start to here, this page last; hrefs are routes. */
  crumbs: BreadcrumbGroupProps.Item[];
  help: Help | undefined;
}

interface Frame {
  page: Page;
  setPage: (page: Page) => void;
  /** The help that an Info link asked for; else the page's is shown. */
  asked: Help | undefined;
  open: boolean;
  show: (help: Help) => void;
  setOpen: (open: boolean) => void;
}

const FrameContext = createContext<Frame | undefined>(undefined);

export function FrameProvider({ children }: { children: ReactNode }) {
  const [page, setPage] = useState<Page>({ title: '', crumbs: [], help: undefined });
  const [asked, setAsked] = useState<Help>();
  const [open, setOpen] = useState(false);
  const frame = useMemo<Frame>(() => ({
    page, asked, open, setOpen,
    setPage: (next) => { setPage(next); setAsked(undefined); },
    show: (help) => { setAsked(help); setOpen(true); },
  }), [page, asked, open]);
  return <FrameContext value={frame}>{children}</FrameContext>;
}

/** The frame around the page: what stands in it. */
export function useFrame(): Frame {
  const frame = use(FrameContext);
  if (!frame) throw new Error('a page is shown inside a FrameProvider only');
  return frame;
}

/** Tells the frame what page it shows: the window's title, the way here, the help. parents are the pages above. */
export function usePage(title: string, parents: BreadcrumbGroupProps.Item[] = [], help?: Help) {
  const { setPage } = useFrame();
  const way = JSON.stringify(parents);
  useEffect(() => {
    document.title = title ? `${title} – Slipway` : 'Slipway';
    setPage({ title, crumbs: [...(JSON.parse(way) as BreadcrumbGroupProps.Item[]), { text: title, href: '' }], help });
    // setPage changes with the frame and does the same each time.
  }, [title, way, help]);
}

/** A link beside a heading that opens the help pane. about names what it helps with, for those who hear the page. */
export function InfoLink({ help, about }: { help: Help; about: string }) {
  const { show } = useFrame();
  return <Link variant="info" ariaLabel={`Info about ${about}`} onFollow={() => { show(help); }}>Info</Link>;
}

/** The help pane's content. */
export function HelpPane() {
  const { page, asked } = useFrame();
  const help = asked ?? page.help;
  if (!help) return <HelpPanel header={<h2>Help</h2>}>There is no help for this page.</HelpPanel>;
  return <HelpPanel header={<h2>{help.header}</h2>}>{help.content}</HelpPanel>;
}
