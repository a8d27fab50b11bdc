package reconcile

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/edge"
	"slipway.dev/slipway/internal/instance"
	"slipway.dev/slipway/internal/observe"
	"slipway.dev/slipway/internal/store"
)

const (
	// loopbackPatience is how long an application may listen on 127.0.0.1 only, at the right port, before that counts as the
	// fault it is: nothing outside can ever reach it, and no start-up needs this long to open the second socket.
	loopbackPatience = 15 * time.Second
	// otherPortPatience is the same for listening on other ports only.
	otherPortPatience = 60 * time.Second
	// look is how often sockets and exits are looked at while waiting.
	look = 250 * time.Millisecond
)

// awaitHealthy shows the new instances to the edge as standbys and waits until all of them are healthy. An instance that ends
// before is a failure at once, one that is not healthy within StartTimeout is one then (§6.5).
func (j *job) awaitHealthy(ctx context.Context) error {
	set, err := j.mine(ctx)
	if err != nil {
		return err
	}
	if set, err = j.restartMissing(ctx, set); err != nil {
		return err
	}
	if err := j.r.publish(ctx); err != nil {
		return err
	}
	hc := j.svc.HealthCheck
	target := fmt.Sprintf("protocol %s, port %s", hc.Protocol, portOf(set))
	if hc.Protocol == apprunner.HealthHTTP {
		target += ", path " + hc.Path
	}
	j.log.Step("Performing health check on %s.", target)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	for _, i := range set {
		go j.watchExit(ctx, i.ID, cancel)
	}
	start := j.r.Now()
	if err := j.untilHealthy(ctx, set, start.Add(j.r.StartTimeout)); err != nil {
		if cause := context.Cause(ctx); cause != nil && errors.As(cause, new(*apprunner.Error)) {
			return cause
		}
		return err
	}
	j.log.Step("Health check is successful after %s.", j.r.Now().Sub(start).Round(time.Millisecond))
	return nil
}

// restartMissing starts what a restart of the whole machine took away between provision and here.
func (j *job) restartMissing(ctx context.Context, set []apprunner.Instance) ([]apprunner.Instance, error) {
	v, err := j.r.version(ctx, j.svc, j.deploymentID(), j.secretsID())
	if err != nil {
		return nil, err
	}
	return set, j.r.startAll(ctx, j.svc, v, set, nil)
}

// watchExit ends the wait when an instance ends before it was ready.
func (j *job) watchExit(ctx context.Context, id string, cancel context.CancelCauseFunc) {
	exit, err := j.r.Instances.Wait(ctx, id)
	if err != nil || ctx.Err() != nil {
		return
	}
	cancel(apprunner.Errorf(apprunner.CodeInvalidRequest, "The application ended before it was ready: it %s.%s", exit, j.lastLines(ctx, id)))
}

// untilHealthy waits for every instance of the set.
func (j *job) untilHealthy(ctx context.Context, set []apprunner.Instance, deadline time.Time) error {
	var d diagnosis
	for {
		short, cancel := context.WithTimeout(ctx, look)
		st, err := j.r.sight.status(short, superviseEvery)
		cancel()
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		waiting := set
		if err == nil {
			waiting = slices.DeleteFunc(slices.Clone(set), func(i apprunner.Instance) bool { return st.Targets[i.ID].Health == edge.Healthy })
			if len(waiting) == 0 {
				return nil
			}
		}
		now := j.r.Now()
		first := waiting[0]
		d.observe(now, j.listening(ctx, first.ID), first.Address)
		if fault := d.verdict(now); fault != "" {
			return j.unhealthy(ctx, first, fault)
		}
		if now.After(deadline) {
			return j.unhealthy(ctx, first, d.timeout(j.r.StartTimeout, st.Targets[first.ID].LastError))
		}
		short, cancel = context.WithTimeout(ctx, look)
		j.r.sight.await(short, st.Version)
		cancel()
		if err != nil {
			sleep(ctx, 50*time.Millisecond) // the edge is away for a moment
		}
	}
}

// unhealthy is the error of an instance that did not become healthy.
func (j *job) unhealthy(ctx context.Context, i apprunner.Instance, fault string) error {
	return apprunner.Errorf(apprunner.CodeInvalidRequest, "The health check failed: %s%s", fault, j.lastLines(ctx, i.ID))
}

func (j *job) listening(ctx context.Context, id string) []netip.AddrPort {
	list, err := j.r.Instances.Listening(ctx, id)
	if err != nil {
		return nil // it may have ended; watchExit tells
	}
	return list
}

func portOf(set []apprunner.Instance) string {
	if len(set) == 0 {
		return "?"
	}
	_, port, _ := strings.Cut(set[0].Address, ":")
	return port
}

// lastLog is how many of the application's last lines a failure shows.
const lastLog = 20

// lastLines are the application's last log lines, ready to be appended to a message.
func (j *job) lastLines(ctx context.Context, id string) string {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	kept, _ := j.r.Logs.Tail(ctx, j.svc.Scope, j.svc.LogGroup("application"), "instance/"+id, lastLog)
	lines := joinLogs(kept, j.r.unread(ctx, id))
	if len(lines) == 0 {
		return " The application wrote nothing to its log."
	}
	lines = lines[max(0, len(lines)-lastLog):]
	return fmt.Sprintf(" Last %d line(s) of the application's log:\n%s", len(lines), strings.Join(lines, "\n"))
}

// unread are the last records of an instance that the pump has not noted as stored yet.
func (r *Reconciler) unread(ctx context.Context, id string) (last []instance.LogRecord) {
	var place instance.Cursor
	err := r.DB.View(ctx, func(tx *store.Tx) error {
		places, err := tx.LogPlaces()
		if err == nil && places[id] != "" {
			place, err = instance.ParseCursor(places[id])
		}
		return err
	})
	for err == nil {
		var records []instance.LogRecord
		if records, place, err = r.Instances.Logs(ctx, id, place); len(records) == 0 {
			break
		}
		last = append(last, records...)
		last = last[max(0, len(last)-lastLog):]
	}
	return last // the message lives without what could not be read
}

// joinLogs puts what is stored and what the driver still has in a row. The pump stores records before it notes that it did, so
// the driver may have some of the stored ones too.
func joinLogs(kept []observe.Event, unread []instance.LogRecord) []string {
	lines := make([]string, 0, len(kept)+len(unread))
	for _, e := range kept {
		lines = append(lines, e.Message)
	}
	if len(kept) > 0 {
		newest := kept[len(kept)-1]
		for n, rec := range slices.Backward(unread) {
			if rec.Line == newest.Message && !rec.Time.Truncate(time.Microsecond).After(newest.Time) {
				unread = unread[n+1:]
				break
			}
		}
	}
	for _, rec := range unread {
		lines = append(lines, rec.Line)
	}
	return lines
}

// diagnosis follows what an application listens on while it is not healthy yet. It is pure: time comes in with each look.
type diagnosis struct {
	port     uint16
	sockets  []netip.AddrPort
	loopback time.Time // since when the right port is open on loopback only
	other    time.Time // since when only other ports are open
}

func (d *diagnosis) observe(now time.Time, sockets []netip.AddrPort, address string) {
	if ap, err := netip.ParseAddrPort(address); err == nil {
		d.port = ap.Port()
	}
	d.sockets = sockets
	var loop, reachable bool
	for _, s := range sockets {
		if s.Port() == d.port {
			loop = loop || s.Addr().IsLoopback()
			reachable = reachable || !s.Addr().IsLoopback()
		}
	}
	d.loopback = since(d.loopback, now, loop && !reachable)
	d.other = since(d.other, now, len(sockets) > 0 && !loop && !reachable)
}

// since keeps the moment a condition became true.
func since(was, now time.Time, holds bool) time.Time {
	switch {
	case !holds:
		return time.Time{}
	case was.IsZero():
		return now
	}
	return was
}

// verdict names a fault that waiting will not heal.
func (d *diagnosis) verdict(now time.Time) string {
	switch {
	case !d.loopback.IsZero() && now.Sub(d.loopback) > loopbackPatience:
		return fmt.Sprintf("the application listens on %s only, which nothing outside the instance can reach. Let it listen on 0.0.0.0:%d.", d.list(), d.port)
	case !d.other.IsZero() && now.Sub(d.other) > otherPortPatience:
		return d.wrongPort()
	}
	return ""
}

func (d *diagnosis) wrongPort() string {
	return fmt.Sprintf("nothing listens on port %d; the application listens on %s. Let it listen on the port in the variable PORT, or set the service's port to the one it uses.", d.port, d.list())
}

// timeout is the sentence for an instance that was given all the time there is.
func (d *diagnosis) timeout(allowed time.Duration, lastError string) string {
	limit := fmt.Sprintf(" (not healthy within %s)", allowed)
	switch {
	case !d.loopback.IsZero():
		return d.verdict(d.loopback.Add(2*loopbackPatience)) + limit
	case !d.other.IsZero():
		return d.wrongPort() + limit
	case len(d.sockets) == 0:
		return fmt.Sprintf("nothing listens on port %d; the application has opened no port at all%s. Let it listen on 0.0.0.0:%d, the port in the variable PORT.", d.port, limit, d.port)
	case lastError == "":
		lastError = "no answer"
	}
	return fmt.Sprintf("the last check on port %d ended with: %s%s. Look at what the application answers there.", d.port, lastError, limit)
}

func (d *diagnosis) list() string {
	names := make([]string, 0, len(d.sockets))
	for _, s := range d.sockets {
		names = append(names, s.String())
	}
	slices.Sort(names)
	return strings.Join(slices.Compact(names), ", ")
}
