import Link, { type LinkProps } from '@cloudscape-design/components/link';
import type { ReactNode } from 'react';
import { useHref, useNavigate } from 'react-router';

/** A link to a page of the console. */
export function RouteLink({ to, variant, children }: { to: string; variant?: LinkProps.Variant; children: ReactNode }) {
  const navigate = useNavigate();
  const href = useHref(to);
  return <Link href={href} {...(variant ? { variant } : {})} onFollow={(event) => { if (!event.detail.external) { event.preventDefault(); void navigate(to); } }}>{children}</Link>;
}
