package server

import (
	"context"
	"time"

	"slipway.dev/slipway/internal/kms"
)

// openKeys opens the keys behind the KMS API.
func (s *System) openKeys(ctx context.Context) (err error) {
	path := s.conf.path("kms.key")
	root, err := keyFile(path)
	if err != nil {
		return err
	}
	s.keys, err = kms.Open(ctx, kms.Config{DB: s.db, Root: root, RootFile: path, Now: time.Now})
	return err
}
