// Package console serves the web console: the files that its TypeScript sources in console/ are built into, compressed before they are
// embedded, and a page that tells how to build them where that was not done. In come requests below /console/, out go files; what a
// person does in the console are calls of the APIs, of which this package knows nothing.
package console
