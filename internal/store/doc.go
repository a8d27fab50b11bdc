// Package store is the memory of the control plane: one embedded SQLite database, its transactions and migrations, and the
// repositories of services, operations, deployments, instances and tags.
//
// A room that keeps records of its own (keys, repositories, log groups) hands its migrations to [DB.Migrate] and runs its own
// statements inside [DB.Update] and [DB.View], so one transaction can span rooms: an action's intent, its operation and its
// audit record are written together or not at all.
//
// SQL stays inside one dialect that PostgreSQL understands too: $1 placeholders, RETURNING, ON CONFLICT, text, bigint and JSON
// as text. Times are stored as microseconds since the epoch.
package store
