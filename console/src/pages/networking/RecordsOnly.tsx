/** What VPC connectors are for now. */
export function RecordsOnly() {
  return <>VPC connectors are kept as records so far: the application&apos;s requests go out as with public access.</>;
}
