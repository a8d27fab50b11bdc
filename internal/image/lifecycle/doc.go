// Package lifecycle reads the lifecycle policies of repositories and says which images they end. It knows nothing of where images are
// kept.
package lifecycle
