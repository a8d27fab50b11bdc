// Package scale decides how many instances a service needs. [Decide] is pure: samples of what the service had to do, the number of
// instances that run and the service's limits go in, the number of instances comes out.
//
// It works in the manner of Knative: a short mean (the panic window) tells what is needed, the greatest need of the last quiet time
// is what is kept, so that a service grows at once and shrinks only after it was quiet for that long. A still shorter mean, the
// burst, counts only when it exceeds what the instances may hold (§12.2): it is what answers a step in the load within a second.
//
// The package must not know where samples come from, nor what an instance is.
package scale
