// Package observe remembers what happened: the log lines of services and instances, the events other systems subscribe to, and
// the audit trail of API calls.
//
// Logs flow in through [Logs.Append] (the platform and the instances) and [Logs.PutEvents] (API clients). A call returns once its
// events are on disk: all appends that arrive while a sync is under way share the next one, so ten thousand quiet streams cost no
// more than one busy stream. Events first live in a shared write-ahead file and in memory; a checkpoint moves them into
// compressed segments, one series per stream, and drops the write-ahead file. Events come out ordered by time, then by
// ingestion, through [Logs.GetEvents], [Logs.Filter] and [Logs.Follow]. The segments are the truth; the tables of groups and
// streams in the store are an index that can be made again from them.
//
// Events ([EmitEvent]) and audit records ([Record]) are written in the caller's own store transaction: they exist exactly when
// the change they tell of does. Package events below delivers the former.
//
// This room knows accounts, groups and streams, never services or operations, and never how AWS spells a request.
package observe
