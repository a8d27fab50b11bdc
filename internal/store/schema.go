package store

// migrations are the store's own steps, oldest first. See [DB.Migrate] for the rule.
var migrations = []string{}
