package apprunner

import (
	"strconv"
	"strings"

	"slipway.dev/slipway/internal/apprunner/pattern"
)

// The resource kinds of the App Runner API, as ARNs spell them (§2).
const (
	KindService       = "service"
	KindConnection    = "connection"
	KindAutoScaling   = "autoscalingconfiguration"
	KindObservability = "observabilityconfiguration"
	KindVPCConnector  = "vpcconnector"
	KindVPCIngress    = "vpcingressconnection"
)

// DefaultConfigName is the name of the provided auto scaling and observability configurations (§2).
const DefaultConfigName = "DefaultConfiguration"

const (
	defaultConfigID = "00000000000000000000000000000001"
	maxARNLength    = 1011
	arnService      = "apprunner"
)

// Scope is where a resource lives: every name, quota and listing belongs to one account in one region.
type Scope struct {
	Account string
	Region  string
}

// ARN is an App Runner resource name taken apart. Revision and ID are zero where the ARN was given partially.
type ARN struct {
	Scope
	Kind     string
	Name     string
	Revision int
	ID       string
}

var arnHead = pattern.Of(`^arn:aws(?:-\w+)*:([a-z0-9.\\-]{0,63}):([a-z0-9.\\-]{0,63}):([0-9]{12}):([\w/-]+)$`)

// revisioned tells which kinds carry a revision between name and id.
func revisioned(kind string) bool {
	return kind == KindAutoScaling || kind == KindObservability || kind == KindVPCConnector
}

// ParseARN takes a full or partial App Runner ARN apart (§2). It fails with CodeInvalidRequest when the text does not have the
// form of one; whether the resource exists is not its business.
func ParseARN(s string) (ARN, error) {
	m := arnHead.FindStringSubmatch(s)
	if m == nil || len(s) > maxARNLength {
		return ARN{}, Errorf(CodeInvalidRequest, "%q is not a valid App Runner resource ARN; the form is arn:aws:apprunner:<region>:<account>:<type>/<name>[/…]", clip(s))
	}
	a := ARN{Scope: Scope{Region: m[2], Account: m[3]}}
	parts := strings.Split(m[4], "/")
	if m[1] != arnService || len(parts) < 2 || parts[1] == "" {
		return ARN{}, Errorf(CodeInvalidRequest, "%q is not the ARN of an App Runner resource", clip(s))
	}
	a.Kind, a.Name = parts[0], parts[1]
	rest := parts[2:]
	if revisioned(a.Kind) && len(rest) > 0 {
		n, err := strconv.Atoi(rest[0])
		if err != nil || n < 1 {
			return ARN{}, Errorf(CodeInvalidRequest, "%q names revision %q; a revision is a whole number from 1", clip(s), rest[0])
		}
		a.Revision, rest = n, rest[1:]
	}
	switch {
	case len(rest) == 1 && rest[0] != "":
		a.ID = rest[0]
	case len(rest) > 0:
		return ARN{}, Errorf(CodeInvalidRequest, "%q has too many parts for the ARN of a %s", clip(s), a.Kind)
	}
	return a, nil
}

// String gives the ARN in full, or as partial as it was.
func (a ARN) String() string {
	s := "arn:aws:apprunner:" + a.Region + ":" + a.Account + ":" + a.Kind + "/" + a.Name
	if a.Revision > 0 {
		s += "/" + strconv.Itoa(a.Revision)
	}
	if a.ID != "" {
		s += "/" + a.ID
	}
	return s
}

// ServiceARN names a service.
func ServiceARN(sc Scope, name, id string) ARN {
	return ARN{Scope: sc, Kind: KindService, Name: name, ID: id}
}

// DefaultAutoScalingARN is the fixed ARN of the provided default auto scaling configuration (§2).
func DefaultAutoScalingARN(sc Scope) ARN {
	return ARN{Scope: sc, Kind: KindAutoScaling, Name: DefaultConfigName, Revision: 1, ID: defaultConfigID}
}

// DefaultObservabilityARN is the fixed ARN of the provided observability configuration (§2).
func DefaultObservabilityARN(sc Scope) ARN {
	return ARN{Scope: sc, Kind: KindObservability, Name: DefaultConfigName, Revision: 1, ID: defaultConfigID}
}

// clip shortens a value for an error message.
func clip(s string) string {
	if len(s) > 120 {
		return s[:120] + "…"
	}
	return s
}
