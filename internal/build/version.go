package build

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/apprunner/pattern"
)

// majorLines is the version line that a runtime's name stands for; a lock inside it may be narrower (§13.1).
var majorLines = map[apprunner.Runtime]string{
	"PYTHON_3": "3", "PYTHON_311": "3.11",
	"NODEJS_12": "12", "NODEJS_14": "14", "NODEJS_16": "16", "NODEJS_18": "18", "NODEJS_22": "22",
	"CORRETTO_8": "8", "CORRETTO_11": "11.0", "GO_1": "1", "DOTNET_6": "6", "PHP_81": "8.1", "RUBY_31": "3.1",
}

// isNode tells whether engines.node of package.json counts for the runtime.
func isNode(r apprunner.Runtime) bool { return strings.HasPrefix(string(r), "NODEJS_") }

// Corretto's own version numbers have leading zeros.
var (
	lockText     = pattern.Of(`^(0|[1-9][0-9]{0,8})(\.(0|[1-9][0-9]{0,8}))*$`)
	correttoLock = pattern.Of(`^[0-9]{1,9}(\.[0-9]{1,9})*$`)
)

// lockForm describes the version locks of a runtime and how many parts they have at most.
func lockForm(runtime apprunner.Runtime) (form string, parts int) {
	switch runtime {
	case "CORRETTO_8":
		return "8[.update[.build[.revision]]]", 4
	case "CORRETTO_11":
		return "11.0[.update[.build[.revision]]]", 5
	}
	return "major[.minor[.patch]]", 3
}

// checkLock says what is wrong with the text of a version lock; "" when nothing is. An unknown runtime leaves only the form.
func checkLock(runtime apprunner.Runtime, text string) string {
	form, parts := lockForm(runtime)
	lock := lockText
	if strings.HasPrefix(string(runtime), "CORRETTO_") {
		lock = correttoLock
	}
	if !lock.MatchString(text) || strings.Count(text, ".") >= parts {
		return "allowed is " + form + " in numbers, or latest"
	}
	line, known := majorLines[runtime]
	if known && !within(text, line) && !within(line, text) {
		return fmt.Sprintf("runtime %s allows versions of the %s line only", runtime.FileName(), line)
	}
	return ""
}

// within tells whether version lies inside the partial version lock: 3.11.2 is within 3.11 and 3, not within 3.1.
func within(version, lock string) bool {
	return lock == "" || version == lock || strings.HasPrefix(version, lock+".")
}

// parts splits a version into numbers; ok is false where it is not made of numbers.
func parts(version string) (numbers []int, ok bool) {
	for part := range strings.SplitSeq(version, ".") {
		n, err := strconv.Atoi(part)
		if err != nil {
			return nil, false
		}
		numbers = append(numbers, n)
	}
	return numbers, true
}

// compareVersions orders versions by their numbers, the oldest first.
func compareVersions(a, b string) int {
	na, okA := parts(a)
	nb, okB := parts(b)
	if !okA || !okB {
		return cmp.Compare(a, b)
	}
	return slices.Compare(na, nb)
}

// chosen is the outcome of chooseVersion.
type chosen struct {
	version string
	note    string // what else the log should say; may be empty
}

// chooseVersion picks the runtime version to build on: the newest available one inside the lock and, for Node.js, inside the
// range of engines.node (§13.1, §13.2). available need not be sorted. The error names what there is.
func chooseVersion(runtime apprunner.Runtime, lock, engines string, available []string) (chosen, error) {
	line := slices.Clone(available)
	line = slices.DeleteFunc(line, func(v string) bool { return !within(v, majorLines[runtime]) })
	slices.SortFunc(line, compareVersions)
	if len(line) == 0 {
		return chosen{}, fmt.Errorf("this server offers no version of runtime %s", runtime.FileName())
	}
	locked := slices.DeleteFunc(slices.Clone(line), func(v string) bool { return !within(v, lock) })
	if len(locked) == 0 {
		return chosen{}, fmt.Errorf("version %s of runtime %s is not available; available are %s", lock, runtime.FileName(), listVersions(line))
	}
	newest := chosen{version: locked[len(locked)-1]}
	if !isNode(runtime) || strings.TrimSpace(engines) == "" {
		return newest, nil
	}
	wanted, err := parseRange(engines)
	if err != nil {
		newest.note = fmt.Sprintf("engines.node of package.json is %s, which is not a version range; it is ignored", quoted(engines))
		return newest, nil
	}
	fitting := slices.DeleteFunc(slices.Clone(locked), func(v string) bool { return !wanted.allows(v) })
	switch {
	case len(fitting) > 0:
		return chosen{version: fitting[len(fitting)-1]}, nil
	case lock != "":
		return chosen{}, fmt.Errorf("run.runtime-version %s and engines.node %s of package.json disagree: change one of them", lock, quoted(engines))
	}
	return chosen{}, fmt.Errorf("no available version of runtime %s satisfies engines.node %s of package.json; available are %s",
		runtime.FileName(), quoted(engines), listVersions(line))
}

// listVersions shows versions for a message: all of a short list, else the newest patch of each minor version.
func listVersions(sorted []string) string {
	const short = 12
	if len(sorted) <= short {
		return strings.Join(sorted, ", ")
	}
	newest := map[string]string{}
	var order []string
	for _, v := range sorted {
		minor := v
		if n := strings.Split(v, "."); len(n) > 2 {
			minor = strings.Join(n[:2], ".")
		}
		if _, seen := newest[minor]; !seen {
			order = append(order, minor)
		}
		newest[minor] = v
	}
	for i, minor := range order {
		order[i] = newest[minor]
	}
	return strings.Join(order, ", ") + " and earlier patches of these"
}
