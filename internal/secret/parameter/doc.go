// Package parameter keeps the parameters of users: the records behind the parameter actions of the SSM API (adjacent §10).
//
// A name, a value and a caller's scope come in; a parameter with its versions and labels comes out. All values are sealed under a KMS
// key before they reach the database, those of type String as well: services use them as secrets too.
//
// Names with and without a leading slash mean the same parameter, since its ARN is the same.
package parameter
