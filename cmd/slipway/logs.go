package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"slipway.dev/slipway/cmd/slipway/internal/caller"
	"slipway.dev/slipway/cmd/slipway/internal/show"
	"slipway.dev/slipway/internal/wire/apprunner"
	"slipway.dev/slipway/internal/wire/logs"
)

// logOptions are the flags of logs.
type logOptions struct {
	follow, deployment, events, application bool
	since                                   time.Duration
	filter                                  string
}

func (p *program) logs() *cobra.Command {
	var o logOptions
	c := &cobra.Command{
		Use: "logs SERVICE", Short: "Show what a service says",
		Long: "Shows the log of a service: what its instances print (all of them as one), its life-cycle events, or its newest deployment.",
		Args: arguments("a service's name"),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := p.connect(cmd)
			if err != nil {
				return err
			}
			return p.showLogs(cmd.Context(), cl, args[0], o)
		},
	}
	f := c.Flags()
	f.BoolVarP(&o.follow, "follow", "f", false, "go on showing new lines until Ctrl-C")
	f.BoolVar(&o.application, "application", false, "what the instances print (the default)")
	f.BoolVar(&o.deployment, "deployment", false, "the newest deployment")
	f.BoolVar(&o.events, "events", false, "life-cycle events")
	f.DurationVar(&o.since, "since", 0, "how far back, such as 10m or 24h (default 1h; everything with --deployment and --events)")
	f.StringVar(&o.filter, "filter", "", "only lines that fit this CloudWatch Logs filter `pattern`")
	c.MarkFlagsMutuallyExclusive("application", "deployment", "events")
	dataDirFlag(f)
	return c
}

func (p *program) showLogs(ctx context.Context, cl *client, name string, o logOptions) error {
	svc, ok, err := cl.service(ctx, name)
	if err != nil {
		return err
	}
	if !ok {
		return p.noService(ctx, cl, name)
	}
	r := &tail{client: cl, group: logGroup(svc, "application"), pattern: o.filter, seen: map[string]bool{}}
	back := o.since
	switch {
	case o.events:
		r.group, r.streams = logGroup(svc, "service"), []string{"events"}
	case o.deployment:
		stream, err := cl.newestDeployment(ctx, svc)
		if err != nil {
			return err
		}
		r.group, r.streams = logGroup(svc, "service"), []string{stream}
	case back == 0:
		back = time.Hour
	}
	if back > 0 {
		r.start = time.Now().Add(-back).UnixMilli()
	}
	w := &lineWriter{out: p.out, term: show.Detect(p.out, p.env), sources: map[string]int{}, many: !o.events && !o.deployment}
	n, err := r.run(ctx, o.follow, w.write)
	if err == nil && n == 0 && !o.follow {
		fmt.Fprintf(p.err, "No lines%s; look farther back with --since 24h, or at the deployment with --deployment.\n", map[bool]string{true: " in the last " + show.Duration(back)}[back > 0])
	}
	if o.follow && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

func (p *program) noService(ctx context.Context, cl *client, name string) error {
	all, err := cl.services(ctx)
	if err != nil {
		return explain(err)
	}
	var names []string
	for _, s := range all {
		names = append(names, value(s.ServiceName))
	}
	if len(names) == 0 {
		return fmt.Errorf("there is no service %s; there are no services yet", name)
	}
	return fmt.Errorf("there is no service %s; there are: %s", name, strings.Join(names, ", "))
}

// newestDeployment is the log stream of the newest operation that deployed.
func (c *client) newestDeployment(ctx context.Context, svc apprunner.Service) (string, error) {
	group := logGroup(svc, "service")
	for page, err := range c.operations(ctx, svc) {
		if err != nil {
			return "", explain(err)
		}
		for _, op := range page {
			stream := "deployment/" + strings.ReplaceAll(value(op.Id), "-", "")
			found, err := caller.Call[logs.DescribeLogStreamsResponse](ctx, c.api, &logs.API, "DescribeLogStreams", &logs.DescribeLogStreamsRequest{LogGroupName: &group, LogStreamNamePrefix: &stream})
			if err != nil && !hasCode(err, "ResourceNotFoundException") {
				return "", explain(err)
			}
			if err == nil && len(found.LogStreams) > 0 {
				return stream, nil
			}
		}
	}
	return "", errors.New("the service has no deployment yet")
}

// tail reads the events of several streams as one and goes on with new ones.
type tail struct {
	*client
	group, pattern string
	streams        []string // empty: all
	start          int64    // milliseconds
	seen           map[string]bool
}

// overlap is how far back each look goes, since events of several instances arrive out of order, in milliseconds.
const overlap = 5000

// run shows what there is and, when following, what comes, until ctx ends. It returns how many lines it showed.
func (r *tail) run(ctx context.Context, follow bool, write func(logs.FilteredLogEvent)) (n int, err error) {
	for {
		shown, err := r.look(ctx, write)
		n += shown
		if err != nil {
			return n, explain(err)
		}
		if !follow {
			return n, nil
		}
		if err := pause(ctx, pollTime); err != nil {
			return n, err
		}
	}
}

// look shows what has not been shown yet.
func (r *tail) look(ctx context.Context, write func(logs.FilteredLogEvent)) (n int, err error) {
	in := &logs.FilterLogEventsRequest{LogGroupName: &r.group, StartTime: &r.start, LogStreamNames: r.streams}
	if r.pattern != "" {
		in.FilterPattern = &r.pattern
	}
	newest := r.start
	seen := map[string]bool{}
	for {
		page, err := caller.Call[logs.FilterLogEventsResponse](ctx, r.api, &logs.API, "FilterLogEvents", in)
		if hasCode(err, "ResourceNotFoundException") {
			return n, nil // nothing has been said yet
		}
		if err != nil {
			return n, err
		}
		for _, e := range page.Events {
			id := value(e.EventId)
			seen[id] = true
			newest = max(newest, value(e.Timestamp))
			if !r.seen[id] {
				write(e)
				n++
			}
		}
		if in.NextToken = page.NextToken; in.NextToken == nil {
			break
		}
	}
	r.seen, r.start = seen, max(r.start, newest-overlap)
	return n, nil
}

// lineWriter writes events as lines, with where they come from when there are several instances.
type lineWriter struct {
	out     io.Writer
	term    show.Terminal
	sources map[string]int
	many    bool
}

func (w *lineWriter) write(e logs.FilteredLogEvent) {
	at := time.UnixMilli(value(e.Timestamp))
	text := value(e.Message)
	if w.term.Live {
		text = show.Harmless(text)
	}
	from := ""
	if w.many {
		stream := value(e.LogStreamName)
		n, ok := w.sources[stream]
		if !ok {
			n = len(w.sources)
			w.sources[stream] = n
		}
		from = w.term.Tint(n, fmt.Sprintf("%.8s", strings.TrimPrefix(stream, "instance/"))) + " "
	}
	if strings.HasPrefix(text, outputPrefix) {
		text = w.term.Paint(show.Dim, text)
	}
	fmt.Fprintln(w.out, w.term.Paint(show.Dim, at.Format("2006-01-02T15:04:05.000")), from+text)
}
