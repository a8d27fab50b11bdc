// Package domain owns names: custom domains, the certificates they are served with, and the DNS zone that makes names resolve.
//
// What flows in are associations of custom domains, which the control room writes, and what the DNS of the world says about them; what
// flows out are the associations' statuses, PEM blocks for whoever terminates TLS, and answers to DNS queries. [Registrar] drives an
// association from its validation records to its certificate and keeps it served; [Standing] does so for the installation's own names.
// [Certificates] keeps what was made or imported and stands behind the certificate API. [CA] is the installation's own authority and, by
// [NewLocalIssuer], the default [CustomIssuer]; [ACME] is the other. [Nameserver] is authoritative for the installation's suffix and for
// nothing else; its [Directory] holds the answers to DNS challenges.
//
// The room knows no routes and no instances: it asks its owner to publish, and decides about time in pure functions.
package domain
