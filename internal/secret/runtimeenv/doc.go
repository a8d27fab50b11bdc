// Package runtimeenv reads the secret variables of services: references come in, the values that instances get go out (§17).
//
// Values are read with the rights of the service's instance role when a deployment, an update or a resumption starts instances, and kept
// sealed until the next one does: instances that are added or replaced meanwhile get the same values, whatever became of the secrets.
// A reference that cannot be read is told with the name of its variable, the reference and the next step, never with a value.
//
// The room asks who may read through an interface; it knows neither roles nor policies.
package runtimeenv
