import type { Help } from '../../shell/page';

export const help: Help = {
  header: 'Custom domains',
  content: (
    <>
      <p>A service can have five domains of your own beside its default domain: a root domain, a subdomain, or a wildcard such as *.example.com.</p>
      <p>
        After linking one, add the records that are shown to your DNS. The <b>certificate validation</b> records prove that the domain is
        yours, and renew its certificate for as long as they stay. The <b>DNS target</b> leads the name to the service; for a root domain
        use an ALIAS (or ANAME) record, since a CNAME cannot stand there.
      </p>
      <p>Validation usually takes minutes, and up to 48 hours. Traffic is served once the domain is active.</p>
      <p>After unlinking a domain, remove its records from your DNS.</p>
    </>
  ),
};
