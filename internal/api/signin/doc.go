// Package signin is where a person signs in with a browser: as an account's root with a mail address, or as a user with account and
// name, and with the code of an MFA device where there is one. It gives temporary credentials: as JSON to programs such as a console,
// and on a page to people, with the shell lines that make command line tools use them.
//
// The pages are rendered here, work without scripts and fetch nothing from elsewhere. The session of a browser is a cookie that holds
// the credentials; whatever a page then does, it does by calling the API as the person, so rights, limits and records are those of
// any caller. What goes out is the audit record of each sign-in.
package signin
