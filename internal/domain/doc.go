// Package domain owns names: the certificates they are served with, and the DNS zone that makes them resolve.
//
// What flows in are host names that need a certificate and the question whether a name is in use; what flows out are PEM blocks for
// whoever terminates TLS, and answers to DNS queries. [CA] is the installation's own certificate authority and the default [Issuer];
// other issuers stand behind the same interface. [Nameserver] is authoritative for the installation's suffix and for nothing else.
//
// The room knows no services and no routes: it asks small interfaces, and decides about renewal in pure functions of time.
package domain
