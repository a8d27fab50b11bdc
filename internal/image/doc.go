// Package image keeps container images: it understands references, pulls from any OCI registry, holds content by digest on
// disk, unpacks layers once so that instances can share them, makes new images out of a base and a layer, and is the built-in
// registry with the words of the ECR API.
//
// What flows in: references with credentials ([Store.Pull], [Store.Resolve]), layer tars from the build room
// ([Store.Append]), pushes over HTTP ([Store.Registry]). What flows out: an [Image], whose layer directories an instance
// mounts as the lower part of its root, and a [PushEvent] for every tag that was pushed ([Store.OnPush]).
//
// On disk, under Config.Dir: blobs/sha256/<hex> (verified while written), layers/<hex of the diff id> (the tree of one layer as
// overlayfs wants it: whiteouts are character devices 0:0, opaque directories carry the overlay's attribute, owners as in the
// tar), uploads/ (unfinished pushes), tmp/ (swept at Open). Repositories, tags, pins and what refers to what are in the store.
//
// Everything that comes from outside is hostile until checked: content is compared with its digest before it gets a name,
// trees are unpacked by the kernel's own confinement (openat2), sizes and counts have limits.
//
// The registry's HTTP handler is our own and not ociserver of cuelabs.dev/go/oci, because each request here needs a permission
// of its own (the ECR action), the repository's account and region come from the token and not from the name, uploads must
// survive a restart, and blobs go out by sendfile; behind ociserver's interface all four would have been side channels.
//
// This room does not know services, operations or users: who may do what is asked through Config.Authorize, who uses an image
// is told by [Store.Pin].
package image
