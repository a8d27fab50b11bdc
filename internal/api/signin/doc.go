// Package signin is where a person signs in, with the web console or with a script: as an account's root with a mail address, or as a
// user with account and name, and with the code of an MFA device where there is one. In come attempts as JSON; out go temporary
// credentials, or a ticket for the next step, and the audit record of each sign-in.
//
// What is done with the credentials afterwards are calls of the APIs like any others, so rights, limits and records are those of any
// caller. Nothing about a session is kept here, and there are no cookies.
package signin
