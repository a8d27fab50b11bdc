// Package chaos kills the processes of an installation, at every step boundary of every operation and at random moments under
// load, and checks after each kill that everything ends as it should: each service in a status that fits what runs, no instance
// without a record and no record without an instance, and no failed request of a service that serves. Build tag chaos.
package chaos
