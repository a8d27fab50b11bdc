/** What VPC connectors do for now. */
export function NotYet() {
  return <>VPC connectors do not carry traffic yet: their interfaces are made, but the application&apos;s requests go out as with public access.</>;
}
