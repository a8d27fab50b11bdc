// Package meter measures services for CloudWatch (adjacent §5): every quarter of a minute it asks the edge for its counters and the driver for
// what instances use, and adds the differences to the metrics of the minute. They are written once a minute, and earlier when somebody wants
// to read them. A service that is paused or has failed has no metrics; a running one without requests has zeros.
//
// What the counters of the edge were is recorded in the transaction that writes the metrics. So requests that were served while this process
// was away are counted when it is back.
package meter
