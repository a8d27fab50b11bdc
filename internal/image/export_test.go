package image

import "context"

// SweepUploads lets tests do what Run does by the clock.
func SweepUploads(s *Store, ctx context.Context) error { return s.sweepUploads(ctx) }
