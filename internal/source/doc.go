// Package source is where code comes from: it reads git repositories, keeps some of its own, and notices that a branch moved.
//
// What flows in is a repository (URL, branch, credential) and a directory to fill; what flows out is the tree of one exact
// commit, without .git, and what went wrong in words a person can act on. [Host] serves repositories that live in this
// installation over smart HTTP, [Hooks] takes the push notices of forges, and [Watcher] turns "the branch has a new commit that
// touches the service's directory" into a call of the starter it was given.
//
// Everything a foreign repository or server sends is hostile until proven otherwise: git runs as a confined child (see
// confinement), no work tree is ever checked out by it, and the files of a commit are written by this package below an os.Root.
//
// The room knows neither services nor builds nor images; whoever is told about a commit decides what that means.
package source
