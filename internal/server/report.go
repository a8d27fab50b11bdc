package server

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// reportVariable tells a role by which inherited descriptor the supervisor hears of it.
const reportVariable = "SLIPWAY_REPORT"

// What a role reports, each on a line of its own: "ready", or "failed" and why.
const (
	reportReady  = "ready"
	reportFailed = "failed"
)

// reporter tells the supervisor how the start of this process goes; without a supervisor it tells nobody.
type reporter struct{ to *os.File }

func newReporter() reporter {
	fd, err := strconv.Atoi(os.Getenv(reportVariable))
	if err != nil || fd < 3 {
		return reporter{}
	}
	syscall.CloseOnExec(fd)
	return reporter{os.NewFile(uintptr(fd), "report")}
}

func (r reporter) ready() { r.line(reportReady) }

// failed reports an error that ends the process; nil reports nothing.
func (r reporter) failed(err error) {
	if err != nil {
		r.line(reportFailed + " " + strings.ReplaceAll(err.Error(), "\n", "; "))
	}
}

func (r reporter) line(text string) {
	if r.to != nil {
		fmt.Fprintln(r.to, text) //nolint:errcheck // a supervisor that is gone needs no report
	}
}
