package network

import (
	"net/netip"
	"time"

	"slipway.dev/slipway/internal/apprunner"
)

// Head is what all records have.
type Head struct {
	ID        string // unique in the installation, such as vpc-0123456789abcdef0
	Scope     apprunner.Scope
	CreatedAt time.Time
	Tags      map[string]string
}

func (h *Head) head() *Head { return h }

// VPC is a network of its own: what it contains has private addresses out of its CIDR.
type VPC struct {
	Head
	CIDR         netip.Prefix // IPv4, /16 to /28
	Default      bool
	Tenancy      string // default or dedicated
	DHCPOptions  string // id of the scope's set of options
	DNSSupport   bool   // there is a resolver at the base of the CIDR plus two
	DNSHostnames bool
	AddressUsage bool // the attribute enableNetworkAddressUsageMetrics
}

// Subnet is a part of a VPC in one zone.
type Subnet struct {
	Head
	VPCID          string
	Zone           string       // such as us-east-1a
	CIDR           netip.Prefix // IPv4, /16 to /28, inside the VPC's
	DefaultForZone bool
	MapPublicIP    bool
	HostnameType   string // ip-name or resource-name
	ResourceNameA  bool   // the attribute enableResourceNameDnsARecord
	ACL            string // id of the network ACL of its VPC
}

// SecurityGroup is a set of rules about who may connect to, and be connected from, the interfaces in it.
type SecurityGroup struct {
	Head
	VPCID       string
	Name        string // unique in the VPC; "default" is the one that is there from the beginning
	Description string
	Ingress     []Rule
	Egress      []Rule
}

// Rule allows one kind of traffic with one other side: the addresses of CIDR, or the interfaces in the group GroupID.
type Rule struct {
	ID          string
	Protocol    string       // "-1" for all, "tcp", "udp", "icmp", "icmpv6" or a protocol number
	FromPort    int          // first port, or the ICMP type; -1 for all
	ToPort      int          // last port, or the ICMP code; -1 for all
	CIDR        netip.Prefix // IPv4 or IPv6
	GroupID     string
	Description string
	Tags        map[string]string
}

// The services that endpoints are for, as [Endpoint.Service] names them.
const (
	ServiceAPI      = "apprunner"          // the App Runner API itself (§20.3)
	ServiceRequests = "apprunner.requests" // private services (§20.2)
)

// EndpointState says where an endpoint stands.
type EndpointState string

// The states of an endpoint.
const (
	EndpointPending   EndpointState = "pending"
	EndpointAvailable EndpointState = "available"
	EndpointFailed    EndpointState = "failed"
	EndpointDeleting  EndpointState = "deleting"
	EndpointDeleted   EndpointState = "deleted"
)

// Endpoint makes a service reachable inside a VPC, at one interface in each of its subnets.
type Endpoint struct {
	Head
	VPCID      string
	Service    string      // ServiceAPI or ServiceRequests
	Subnets    []string    // ids, each of another zone
	Groups     []string    // ids, never empty
	Interfaces []Interface `json:"-"` // records of their own, read with it
	PrivateDNS bool        // the service's usual names resolve to the endpoint inside the VPC
	Policy     string      // JSON; "" where the service takes none
	State      EndpointState
	Reason     string    // why it failed; for people
	Suffix     string    // eight letters and digits, part of its names
	Token      string    // the caller's, which makes creating it twice the same as once
	DeletedAt  time.Time // zero until it is deleted
}

// Interface is an address in a subnet, and what has it.
type Interface struct {
	Head
	SubnetID    string
	VPCID       string
	Zone        string
	Address     netip.Addr // out of the subnet's CIDR
	MAC         string     // six octets, locally administered
	Groups      []string
	Kind        string // one of the Interface… constants
	Owner       string // id of the endpoint or NAT gateway, or the key of a connector's set of subnets and groups
	Description string
}

// The kinds of interfaces, as the EC2 API names them.
const (
	InterfaceEndpoint  = "vpc_endpoint"
	InterfaceNAT       = "nat_gateway"
	InterfaceConnector = "interface"
)

// RouteTable says where packets that leave a subnet go. What is inside the VPC needs no route.
type RouteTable struct {
	Head
	VPCID        string
	Main         string // id of its association as the VPC's main table; "" for others
	Associations []RouteAssociation
	Routes       []Route // beside the local one
}

// RouteAssociation gives a table to a subnet.
type RouteAssociation struct{ ID, SubnetID string }

// Route sends packets for a destination through a gateway: an internet gateway, a NAT gateway or an interface.
type Route struct {
	Destination netip.Prefix
	Target      string // id
}

// InternetGateway connects a VPC with the world.
type InternetGateway struct {
	Head
	VPCID string // "" while it is attached to none
}

// The states of a NAT gateway.
const (
	NATAvailable = "available"
	NATDeleted   = "deleted"
)

// NATGateway lets what is in private subnets call out.
type NATGateway struct {
	Head
	VPCID      string
	SubnetID   string
	Public     bool
	Allocation string    // id of its address; "" for a private one
	Interface  Interface `json:"-"` // a record of its own, read with it
	State      string
	Token      string
	DeletedAt  time.Time // zero until it is deleted
}

// Address is one that was taken out of the installation's pool.
type Address struct {
	Head
	Address     netip.Addr
	Association string // id, while a NAT gateway has it
	NATGateway  string
	Interface   string
	Private     netip.Addr // of that interface
}

// ACL is the network ACL of a VPC. There is the default one only, which allows everything.
type ACL struct {
	Head
	VPCID string
}

// DHCPOptions are the options of a scope. There is the default set only.
type DHCPOptions struct{ Head }
