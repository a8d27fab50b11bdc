package oci

import (
	"errors"
	"os"
	"strconv"
	"strings"

	"slipway.dev/slipway/internal/apprunner"
)

// maxUserFile is the largest /etc/passwd or /etc/group that is read.
const maxUserFile = 4 << 20

// identity is who a process runs as, in ids of the sandbox.
type identity struct {
	uid, gid int
	groups   []int
	home     string
}

// lookupUser finds out who "uid", "uid:gid", "name" or "name:group" is, by the tree's own /etc/passwd and /etc/group, the way
// Dockerfile's USER means it. Empty is root.
func lookupUser(t *tree, user string) (identity, error) {
	passwd, err := userFile(t, "/etc/passwd")
	if err != nil {
		return identity{}, err
	}
	groups, err := userFile(t, "/etc/group")
	if err != nil {
		return identity{}, err
	}
	return resolveUser(user, passwd, groups)
}

// userFile reads a table; an image without one has no names.
func userFile(t *tree, name string) (string, error) {
	b, err := t.readFile(name, maxUserFile)
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", apprunner.Errorf(apprunner.CodeInvalidRequest, "the image's %s cannot be read: %w", name, err)
	}
	return string(b), nil
}

func resolveUser(user, passwd, group string) (identity, error) {
	name, groupName, hasGroup := strings.Cut(user, ":")
	if name == "" {
		name = "0"
	}
	who := identity{home: "/"}
	uid, numeric := parseID(name)
	entry := findLine(passwd, func(f []string) bool {
		return len(f) >= 4 && (f[0] == name || numeric && f[2] == name)
	})
	switch {
	case entry != nil:
		who.uid, _ = parseID(entry[2])
		who.gid, _ = parseID(entry[3])
		if len(entry) >= 6 && entry[5] != "" {
			who.home = entry[5]
		}
		name = entry[0]
	case numeric:
		who.uid = uid
	default:
		return who, apprunner.Errorf(apprunner.CodeInvalidRequest, "the image is to run as user %q, but its /etc/passwd has no such user", name).
			WithHint("Add the user in the image, or give a number.")
	}
	if hasGroup {
		return who, who.setGroup(groupName, group)
	}
	who.groups = memberships(group, name)
	return who, who.check()
}

func (who *identity) setGroup(name, group string) error {
	gid, numeric := parseID(name)
	entry := findLine(group, func(f []string) bool { return len(f) >= 3 && f[0] == name })
	switch {
	case entry != nil:
		who.gid, _ = parseID(entry[2])
	case numeric:
		who.gid = gid
	default:
		return apprunner.Errorf(apprunner.CodeInvalidRequest, "the image is to run with group %q, but its /etc/group has no such group", name).
			WithHint("Add the group in the image, or give a number.")
	}
	return who.check()
}

// check refuses ids that the sandbox has no room for.
func (who *identity) check() error {
	if who.uid >= idRange || who.gid >= idRange {
		return apprunner.Errorf(apprunner.CodeInvalidRequest, "the image is to run as user %d, group %d; ids must be below %d", who.uid, who.gid, idRange)
	}
	return nil
}

// memberships are the groups that list a user by name.
func memberships(group, name string) []int {
	var ids []int
	for line := range strings.Lines(group) {
		f := strings.Split(strings.TrimSpace(line), ":")
		if len(f) < 4 {
			continue
		}
		for _, member := range strings.Split(f[3], ",") {
			if id, ok := parseID(f[2]); ok && member == name && id < idRange && len(ids) < 64 {
				ids = append(ids, id)
			}
		}
	}
	return ids
}

func findLine(table string, match func(fields []string) bool) []string {
	for line := range strings.Lines(table) {
		if f := strings.Split(strings.TrimSpace(line), ":"); match(f) {
			return f
		}
	}
	return nil
}

func parseID(s string) (int, bool) {
	n, err := strconv.ParseUint(s, 10, 31)
	return int(n), err == nil
}
