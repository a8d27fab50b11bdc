package reconcile

import "context"

// Publish returns when the edge routes by what the store says now. It is for rooms that promise a route, as that of a custom domain,
// before they say that it is there.
func (r *Reconciler) Publish(ctx context.Context) error { return r.publish(ctx) }

// Published tells whether the edge has routed by a table of this Reconciler: what is not running yet is waited for from then on.
func (r *Reconciler) Published() bool { return r.sight.table.Load() != 0 }
