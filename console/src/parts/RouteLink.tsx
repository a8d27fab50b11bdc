import Link, { type LinkProps } from '@cloudscape-design/components/link';
import type { ReactNode } from 'react';
import { useHref, useNavigate } from 'react-router';

/** A link to a page of the console. */
export function RouteLink({ to, variant, color, children }: { to: string; variant?: LinkProps.Variant; color?: LinkProps.Color; children: ReactNode }) {
  const navigate = useNavigate();
  const href = useHref(to);
  return <Link href={href} {...(variant ? { variant } : {})} {...(color ? { color } : {})} onFollow={(event) => { if (!event.detail.external) { event.preventDefault(); void navigate(to); } }}>{children}</Link>;
}
