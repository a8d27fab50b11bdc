// Package cgroup finds this machine's control groups and works on those of one instance: count, freeze, kill, remove.
//
// Limits are set by the OCI runtime; what is here is what must also work when no runtime and no shim is left: end all processes
// of a group, and make the group vanish. Version 1, version 2 and the mixed layout (controllers on version 1, an empty version 2
// tree beside them) are told apart once, in Detect; everything else asks the Layout.
//
// It knows nothing of instances and keeps no state. It is linked into the shim's path and stays small.
package cgroup
