package show

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/charmbracelet/x/ansi"
)

// frameTime is how often the current step is drawn again.
const frameTime = 100 * time.Millisecond

// Progress shows steps that follow each other. Its methods may be called from several goroutines.
type Progress struct {
	out  io.Writer
	term Terminal
	now  func() time.Time

	mu      sync.Mutex
	step    string // the current one; "" when none
	since   time.Time
	began   time.Time
	frame   int
	drawn   bool
	stop    chan struct{}
	stopped sync.WaitGroup
}

// NewProgress begins to show progress on out. The caller ends it with Close.
func NewProgress(out io.Writer, t Terminal, now func() time.Time) *Progress {
	p := &Progress{out: out, term: t, now: now, began: now(), stop: make(chan struct{})}
	if t.Live {
		p.stopped.Go(p.animate)
	}
	return p
}

func (p *Progress) animate() {
	tick := time.NewTicker(frameTime)
	defer tick.Stop()
	for {
		select {
		case <-p.stop:
			return
		case <-tick.C:
			p.mu.Lock()
			p.frame++
			p.draw()
			p.mu.Unlock()
		}
	}
}

// Close leaves what is shown as it is. A step that is still current stays without a mark.
func (p *Progress) Close() {
	if p.stop == nil {
		return
	}
	close(p.stop)
	p.stopped.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.erase()
	p.stop = nil
}

// Step ends the current step, without a word on how it went, and makes text the current one.
func (p *Progress) Step(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.finish(Dim, "•")
	p.step, p.since = Harmless(text), p.now()
	if !p.term.Live {
		p.plain(p.step)
	}
	p.draw()
}

// Done marks the current step as done.
func (p *Progress) Done() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.finish(Good, "✓")
}

// Fail marks the current step as failed.
func (p *Progress) Fail() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.finish(Bad, "✗")
}

// Output shows a line that a step put out, such as one of a build.
func (p *Progress) Output(line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	line = Harmless(line)
	if !p.term.Live {
		p.plain("| " + line)
		return
	}
	p.erase()
	fmt.Fprintln(p.out, p.term.Paint(Dim, "  │ "+line))
	p.draw()
}

// Say shows a line for the person.
func (p *Progress) Say(style Style, text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.erase()
	for line := range strings.SplitSeq(text, "\n") {
		if p.term.Live {
			fmt.Fprintln(p.out, p.term.Paint(style, line))
		} else {
			p.plain(line)
		}
	}
	p.draw()
}

// Elapsed is the time since the progress began.
func (p *Progress) Elapsed() time.Duration { return p.now().Sub(p.began) }

func (p *Progress) plain(text string) {
	fmt.Fprintln(p.out, p.now().Format("15:04:05"), text)
}

// finish ends the current step with a mark and how long it took.
func (p *Progress) finish(style Style, mark string) {
	if p.step == "" {
		return
	}
	if p.term.Live {
		p.erase()
		fmt.Fprintf(p.out, "%s %s  %s\n", p.term.Paint(style, mark), p.step, p.term.Paint(Dim, Duration(p.now().Sub(p.since))))
	}
	p.step = ""
}

func (p *Progress) erase() {
	if p.drawn {
		fmt.Fprint(p.out, "\r\x1b[K")
		p.drawn = false
	}
}

// draw shows the current step on the terminal's last line.
func (p *Progress) draw() {
	if !p.term.Live || p.step == "" {
		return
	}
	spinner := []rune("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏")
	took := Duration(p.now().Sub(p.since))
	text := p.step
	if room := p.term.Width - len(took) - 5; p.term.Width > 0 && room > 0 {
		text = ansi.Truncate(text, room, "…")
	}
	fmt.Fprintf(p.out, "\r\x1b[K%s %s  %s", p.term.Paint(Link, string(spinner[p.frame%len(spinner)])), text, p.term.Paint(Dim, took))
	p.drawn = true
}

// Duration shows a time span the way people say it.
func Duration(d time.Duration) string {
	switch {
	case d < 10*time.Second:
		return fmt.Sprintf("%.1fs", d.Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%.0fs", d.Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}
