package shim

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"slipway.dev/slipway/internal/instance"
	"slipway.dev/slipway/internal/instance/oci/logfile"
)

// output is where the container writes: two pipes into the log, or the driver's file twice.
type output struct {
	stdout, stderr *os.File // the container's ends
	log            *logfile.Writer
	sources        []*logfile.Source // this side's ends
	copier         *logfile.Copier
	copied         chan struct{} // closed when all of it is in the log
}

func newOutput(c Create) (*output, error) {
	if c.Attached {
		f := os.NewFile(OutputFD, "output")
		return &output{stdout: f, stderr: f}, nil
	}
	log, err := logfile.NewWriter(filepath.Join(c.Dir, LogDir), c.LogLimit)
	if err != nil {
		return nil, err
	}
	o := &output{log: log, copied: make(chan struct{})}
	if o.stdout, err = o.pipe(instance.StreamStdout, c); err != nil {
		return nil, err
	}
	if o.stderr, err = o.pipe(instance.StreamStderr, c); err != nil {
		return nil, err
	}
	if o.copier, err = logfile.NewCopier(log, o.sources...); err != nil {
		return nil, err
	}
	go func() {
		defer close(o.copied)
		o.copier.Run()
	}()
	return o, nil
}

// pipe makes one stream. The container's user owns it, since images link log files to /dev/stdout and opening that asks for
// permission anew.
func (o *output) pipe(stream instance.Stream, c Create) (*os.File, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("make an output pipe: %w", err)
	}
	if err := w.Chown(c.UID, c.GID); err != nil {
		return nil, fmt.Errorf("make an output pipe: %w", err)
	}
	o.sources = append(o.sources, &logfile.Source{Pipe: r, Stream: stream})
	return w, nil
}

// handedOver closes this side's copies of the ends the container holds now.
func (o *output) handedOver() {
	o.stdout.Close()
	o.stderr.Close()
}

// note writes a remark of the platform into the log.
func (o *output) note(text string) {
	if o.log != nil {
		o.log.Write(time.Now(), instance.StreamSystem, []byte(text), false)
	}
}

// drain returns when all that was written is in the log. With the first process all others of the container have ended, so the
// pipes are at their end, but for a process in an uninterruptible wait.
func (o *output) drain() {
	if o.log == nil {
		return
	}
	late := time.AfterFunc(2*time.Second, func() { _ = o.copier.Close() })
	<-o.copied
	late.Stop()
	for _, s := range o.sources {
		s.Pipe.Close()
	}
	_ = o.log.Close()
}
