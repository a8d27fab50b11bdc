package build

import (
	"strings"

	"slipway.dev/slipway/internal/apprunner"
)

// nodeVersions are the Node.js releases that recipes can make here, by runtime: those the npm registry has as packages. The
// newest of a line is what a service without version lock gets. A release that is not listed can be offered at once by
// Config.RuntimeImages, and joins this list with the next edition.
var nodeVersions = map[apprunner.Runtime][]string{
	"NODEJS_22": minors("22", `0.0 1.0 2.0 3.0 4.0 4.1 5.0 5.1 6.0 7.0 8.0 9.0 10.0 11.0 12.0 13.0 13.1 14.0 15.0 15.1 16.0 17.0 17.1 18.0 19.0
		20.0 21.0 21.1 22.0 22.1 22.2 22.3 23.0 23.1 23.2 23.3`),
	"NODEJS_18": minors("18", `0.0 1.0 2.0 3.0 4.0 5.0 6.0 7.0 8.0 9.0 9.1 10.0 11.0 12.0 12.1 13.0 14.0 14.1 14.2 15.0 16.0 16.1 17.0 17.1 18.0
		18.1 18.2 19.0 19.1 20.0 20.1 20.2 20.3 20.4 20.5 20.6 20.7 20.8`),
	"NODEJS_16": minors("16", `0.0 1.0 3.0 4.0 4.1 5.0 6.0 6.1 6.2 7.0 8.0 9.0 9.1 10.0 11.0 11.1 12.0 13.0 13.1 13.2 14.0 14.1 14.2 15.0 15.1
		16.0 17.0 17.1 18.0 18.1 19.0 19.1 20.0 20.1 20.2`),
	"NODEJS_14": minors("14", `0.0 1.0 2.0 3.0 4.0 5.0 6.0 7.0 8.0 9.0 10.0 10.1 11.0 12.0 13.0 13.1 14.0 15.0 15.2 16.0 16.1 17.1 17.2 17.3 17.4
		17.5 17.6 18.0 18.1 18.2 18.3 19.0 19.1 19.2 19.3 20.0 20.1 21.0 21.2 21.3`),
	"NODEJS_12": minors("12", `0.0 1.0 2.0 3.0 3.1 4.0 5.0 6.0 7.0 8.0 8.1 9.0 9.1 10.0 11.0 11.1 12.0 13.0 13.1 14.0 14.1 15.0 16.0 16.1 16.2
		16.3 17.0 18.0 18.1 18.2 18.3 18.4 19.0 19.1 20.0 20.1 21.0 22.1 22.2 22.3 22.4 22.5 22.6 22.7 22.8 22.9 22.10 22.11 22.12`),
}

func minors(major, rest string) []string {
	var versions []string
	for v := range strings.FieldsSeq(rest) {
		versions = append(versions, major+"."+v)
	}
	return versions
}

// npmFor is the npm release that fits a Node.js version; each is the last one whose own requirements that Node.js meets.
func npmFor(node string) string {
	switch {
	case within(node, "12"), within(node, "14"):
		return "6.14.18"
	case within(node, "16"):
		return "8.19.4"
	case within(node, "18") && compareVersions(node, "18.17.0") < 0:
		return "9.9.4"
	}
	return "10.9.9"
}

// yarnVersion is the classic yarn, which every Node.js here runs; newer ones are fetched by a project itself.
const yarnVersion = "1.22.22"

// What Debian 12 has.
const (
	debianSuite  = "bookworm"
	debianPython = "3.11.2"
	debianGo     = "1.19.8"
)
