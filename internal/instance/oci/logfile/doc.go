// Package logfile keeps the lines an instance wrote until the control plane has stored them.
//
// A shim writes, a driver reads, each in its own process and each free to die at any moment: a log is a directory of append-only
// segments, a record is one write, and its checksum tells a whole record from a torn one. The writer starts a new segment every
// megabyte and, when nobody collects, drops the oldest ones and says so in the log. The reader's place is an instance.Cursor.
//
// Records reach the page cache, not the disk, before the application's next line is read: they survive the end of every process,
// and a machine that lost power has no instances left to explain. Linked into the shim's path: keep it small.
package logfile
