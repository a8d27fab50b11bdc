// Command app is the application that the end-to-end tests deploy: a static program that goes into images as it is. What it does
// before it serves is said by environment variables, what it does afterwards by requests.
//
// Before serving, in this order:
//
//	PRINT_LINES=N     prints N lines
//	EAT_MIB=N         takes N MiB of memory
//	FILL_MIB=N        writes a file of N MiB; ends with code 1 when that fails
//	EXIT_CODE=N       ends with code N
//	START_DELAY=2s    waits
//	LISTEN=ADDRESS    listens there instead of on 0.0.0.0:$PORT; "none" listens nowhere
//	COUNT_EVERY=20ms  prints "count 1", "count 2", … at that pace for ever
//
// Requests are described at [app.routes]. SIGTERM ends it when the requests in flight are answered, after STOP_DELAY.
package main
