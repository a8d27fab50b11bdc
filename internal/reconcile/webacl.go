package reconcile

import (
	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/apprunner/webacl"
)

// aclOf is the web ACL in front of a service; nil for none. Requests for a private service do not show where they come from (§20.2).
func aclOf(svc apprunner.Service, acls map[string]*webacl.Resolved) *webacl.Resolved {
	acl := acls[svc.ARN()]
	if acl == nil || svc.Network.Public {
		return acl
	}
	private := *acl
	private.NoAddress = true
	return &private
}
