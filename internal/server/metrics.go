package server

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/edge"
	"slipway.dev/slipway/internal/iam"
)

// metrics answers scrapes. From the machine itself anybody may scrape; from elsewhere an access key is needed, as user name and
// password, whose owner may slipway:GetMetrics.
func (s *System) metrics() http.Handler {
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), edgeCollector{s.edge}, busCollector{s.events}, certificateCollector{s.names.custom})
	scrape := promhttp.HandlerFor(reg, promhttp.HandlerOpts{})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !fromHere(r) {
			user, password, _ := r.BasicAuth()
			if err := s.mayScrape(r.Context(), user, password); err != nil {
				w.Header().Set("WWW-Authenticate", `Basic realm="slipway metrics"`)
				http.Error(w, "an access key is needed whose owner may slipway:GetMetrics", http.StatusUnauthorized)
				return
			}
		}
		scrape.ServeHTTP(w, r)
	})
}

// fromHere tells whether a request comes from this machine.
func fromHere(r *http.Request) bool {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return false
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.Unmap().IsLoopback()
}

func (s *System) mayScrape(ctx context.Context, user, password string) error {
	p, err := s.iam.Password(ctx, user, password)
	if err != nil {
		return err
	}
	return s.iam.Authorize(ctx, p, iam.Request{Action: "slipway:GetMetrics", Resource: "arn:aws:slipway:" + s.conf.Region + ":" + p.Account + ":metrics"})
}

// statusSource is the edge, asked for its figures.
type statusSource interface {
	Status(ctx context.Context) (edge.Status, error)
}

// edgeCollector turns the edge's figures into metrics at each scrape. Only services of the table have labels. Counters begin anew with
// an edge process, as Prometheus expects of counters.
type edgeCollector struct{ edge statusSource }

func serviceDesc(name, help string, more ...string) *prometheus.Desc {
	return prometheus.NewDesc("slipway_"+name, help, append([]string{"service", "service_name", "service_id"}, more...), nil)
}

var (
	requestsDesc  = serviceDesc("requests_total", "Requests by status class.", "class")
	durationDesc  = serviceDesc("request_duration_seconds", "Time of requests from the first byte to the end of the answer.")
	inFlightDesc  = serviceDesc("requests_in_flight", "Requests in flight.")
	waitingDesc   = serviceDesc("requests_waiting", "Requests that wait for a place at an instance.")
	busyDesc      = serviceDesc("concurrency_seconds_total", "Time integral of the requests in flight and waiting: its rate is the mean concurrency.")
	rejectedDesc  = serviceDesc("requests_rejected_total", "Requests answered with 429 because all instances were full.")
	refusedDesc   = serviceDesc("requests_refused_total", "Requests refused by an address list, a password or a web ACL.")
	retriesDesc   = serviceDesc("request_retries_total", "Requests sent to another instance after the first broke.")
	bytesInDesc   = serviceDesc("request_bytes_total", "Bytes of request bodies.")
	bytesOutDesc  = serviceDesc("response_bytes_total", "Bytes of response bodies.")
	unloggedDesc  = serviceDesc("log_lines_lost_total", "Lines of access logs and web ACL logs that were dropped.")
	instancesDesc = serviceDesc("instances", "Instances by their part and health.", "phase", "health")

	connectionsDesc = prometheus.NewDesc("slipway_edge_connections", "Open client connections.", nil, nil)
	edgeUpDesc      = prometheus.NewDesc("slipway_edge_up", "Whether the edge answers.", nil, nil)
)

// Describe names the metrics.
func (edgeCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range [...]*prometheus.Desc{
		requestsDesc, durationDesc, inFlightDesc, waitingDesc, busyDesc, rejectedDesc, refusedDesc, retriesDesc, bytesInDesc, bytesOutDesc, unloggedDesc,
		instancesDesc, connectionsDesc, edgeUpDesc,
	} {
		ch <- d
	}
}

// Collect asks the edge. One that is away has no figures; the scrape shows the rest.
func (c edgeCollector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	st, err := c.edge.Status(ctx)
	if err != nil {
		ch <- prometheus.MustNewConstMetric(edgeUpDesc, prometheus.GaugeValue, 0)
		return
	}
	ch <- prometheus.MustNewConstMetric(edgeUpDesc, prometheus.GaugeValue, 1)
	ch <- prometheus.MustNewConstMetric(connectionsDesc, prometheus.GaugeValue, float64(st.Connections))
	for arn, n := range st.Services {
		collectService(ch, labelsOf(arn), n)
	}
	collectInstances(ch, st.Targets)
}

// labelsOf are the labels of a service.
func labelsOf(arn string) []string {
	a, err := apprunner.ParseARN(arn)
	if err != nil {
		return []string{arn, "", ""}
	}
	return []string{arn, a.Name, a.ID}
}

func collectService(ch chan<- prometheus.Metric, labels []string, n edge.Counters) {
	for class, v := range map[string]uint64{"2xx": n.Status2xx, "3xx": n.Status3xx, "4xx": n.Status4xx, "5xx": n.Status5xx} {
		ch <- prometheus.MustNewConstMetric(requestsDesc, prometheus.CounterValue, float64(v), append(labels[:3:3], class)...)
	}
	count, sum, buckets := n.Histogram()
	ch <- prometheus.MustNewConstHistogram(durationDesc, count, sum, buckets, labels...)
	for desc, v := range map[*prometheus.Desc]float64{inFlightDesc: float64(n.InFlight), waitingDesc: float64(n.Waiting)} {
		ch <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, v, labels...)
	}
	for desc, v := range map[*prometheus.Desc]float64{
		busyDesc: n.Busy.Seconds(), rejectedDesc: float64(n.Rejected), refusedDesc: float64(n.Refused), retriesDesc: float64(n.Retries),
		bytesInDesc: float64(n.BytesIn), bytesOutDesc: float64(n.BytesOut), unloggedDesc: float64(n.Unlogged),
	} {
		ch <- prometheus.MustNewConstMetric(desc, prometheus.CounterValue, v, labels...)
	}
}

// collectInstances counts the instances of each service by phase and health.
func collectInstances(ch chan<- prometheus.Metric, targets map[string]edge.TargetStatus) {
	type part struct {
		arn    string
		phase  edge.Phase
		health edge.Health
	}
	count := map[part]int{}
	for _, t := range targets {
		count[part{t.ServiceARN, t.Phase, t.Health}]++
	}
	for p, n := range count {
		ch <- prometheus.MustNewConstMetric(instancesDesc, prometheus.GaugeValue, float64(n), append(labelsOf(p.arn), string(p.phase), string(p.health))...)
	}
}
