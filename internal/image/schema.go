package image

// migrations are this room's steps, oldest first; see store.DB.Migrate for the rule.
var migrations = []string{
	`CREATE TABLE image_repositories (
		id TEXT NOT NULL PRIMARY KEY,
		account TEXT NOT NULL,
		region TEXT NOT NULL,
		name TEXT NOT NULL,
		tag_mutability TEXT NOT NULL,
		scan_on_push BIGINT NOT NULL,
		policy TEXT NOT NULL,
		tags TEXT NOT NULL,
		created_us BIGINT NOT NULL,
		UNIQUE (account, region, name)
	)`,
	// A blob is visible in the repositories it was pushed to or mounted in, whoever else holds the same bytes.
	`CREATE TABLE image_blobs (
		repository_id TEXT NOT NULL,
		digest TEXT NOT NULL,
		size BIGINT NOT NULL,
		touched_us BIGINT NOT NULL,
		PRIMARY KEY (repository_id, digest)
	)`,
	`CREATE TABLE image_manifests (
		repository_id TEXT NOT NULL,
		digest TEXT NOT NULL,
		media_type TEXT NOT NULL,
		artifact_type TEXT NOT NULL,
		subject TEXT NOT NULL,
		size BIGINT NOT NULL,
		content_size BIGINT NOT NULL,
		pushed_us BIGINT NOT NULL,
		PRIMARY KEY (repository_id, digest)
	)`,
	`CREATE INDEX image_manifests_subject ON image_manifests (repository_id, subject)`,
	`CREATE TABLE image_manifest_refs (
		repository_id TEXT NOT NULL,
		manifest TEXT NOT NULL,
		digest TEXT NOT NULL,
		PRIMARY KEY (repository_id, manifest, digest)
	)`,
	`CREATE INDEX image_manifest_refs_digest ON image_manifest_refs (repository_id, digest)`,
	`CREATE TABLE image_tags (
		repository_id TEXT NOT NULL,
		tag TEXT NOT NULL,
		digest TEXT NOT NULL,
		updated_us BIGINT NOT NULL,
		PRIMARY KEY (repository_id, tag)
	)`,
	`CREATE INDEX image_tags_digest ON image_tags (repository_id, digest)`,
	// Unpacked images, pulled or built here; refs is what they need on disk.
	`CREATE TABLE image_images (
		digest TEXT NOT NULL PRIMARY KEY,
		refs TEXT NOT NULL,
		used_us BIGINT NOT NULL
	)`,
	`CREATE TABLE image_pins (
		owner TEXT NOT NULL,
		digest TEXT NOT NULL,
		pinned_us BIGINT NOT NULL,
		PRIMARY KEY (owner, digest)
	)`,
	// boot_id is the boot of this machine in which a layer was unpacked, until its files are known to be on the disk.
	`CREATE TABLE image_layers (
		diff_id TEXT NOT NULL PRIMARY KEY,
		bytes BIGINT NOT NULL,
		entries BIGINT NOT NULL,
		boot_id TEXT NOT NULL,
		created_us BIGINT NOT NULL
	)`,
	// Pushes that were recorded and not yet told to the listeners.
	`CREATE TABLE image_events (
		id TEXT NOT NULL PRIMARY KEY,
		body TEXT NOT NULL,
		created_us BIGINT NOT NULL
	)`,
	`CREATE TABLE image_keys (
		name TEXT NOT NULL PRIMARY KEY,
		value TEXT NOT NULL
	)`,
	// Blobs made here that may not have reached the disk yet; see image_layers for boot_id.
	`CREATE TABLE image_unsynced (
		digest TEXT NOT NULL PRIMARY KEY,
		boot_id TEXT NOT NULL
	)`,
	// Images of an owner in its vault; refs as in image_images.
	`CREATE TABLE image_sealed (
		owner TEXT NOT NULL,
		digest TEXT NOT NULL,
		refs TEXT NOT NULL,
		PRIMARY KEY (owner, digest)
	)`,
	`CREATE TABLE image_lifecycles (
		repository_id TEXT NOT NULL PRIMARY KEY,
		policy TEXT NOT NULL,
		evaluated_us BIGINT NOT NULL
	)`,
}
