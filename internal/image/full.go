package image

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// fullAnswer is what a client is told when the disk has no room for what it pushes; false when err is about something else. Clients show
// the errors of a push only when its status is below 500, and would otherwise try again and again.
func (s *Store) fullAnswer(ctx context.Context, err error) (answer, bool) {
	if !errors.Is(err, syscall.ENOSPC) && !errors.Is(err, syscall.EDQUOT) && !strings.Contains(err.Error(), "database or disk is full") {
		return answer{}, false
	}
	free := "how much is free is not known"
	var fs unix.Statfs_t
	if ferr := unix.Statfs(s.dir, &fs); ferr == nil {
		free = fmt.Sprintf("%d MiB of %d MiB are free", int64(fs.Bavail)*fs.Bsize>>20, int64(fs.Blocks)*fs.Bsize>>20)
	}
	s.logFailure(ctx, "the disk that keeps images is full: "+free, err)
	return answer{http.StatusRequestEntityTooLarge, "DENIED", "the disk that keeps the images of this registry is full (" + free + "); free some space and push again"}, true
}
