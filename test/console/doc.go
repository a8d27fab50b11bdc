// Package console holds the web console against a real browser: each test starts from a real installation, tells a story in
// stories/*.mjs what there is, and lets Chromium play it. What the console did is then looked for where it must have left traces: in the
// installation itself.
//
// Every page a story comes by is checked by axe-core, in light and in dark. Stories fail on anything the page writes to the console as an
// error and on any request that leaves the installation. With CONSOLE_SHOTS set to a directory, pictures of the pages are left there.
package console
