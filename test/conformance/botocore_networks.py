"""The part of botocore_story.py about networks: every action of the EC2 API that is served."""

REQUESTS = "com.amazonaws.us-east-1.apprunner.requests"


def networks(story):
    c, want = story.Client("ec2"), story.want
    vpc = c("CreateVpc", CidrBlock="10.0.0.0/16", TagSpecifications=[{"ResourceType": "vpc", "Tags": [{"Key": "run", "Value": story.run}]}])["Vpc"]
    want(vpc["State"] == "available" and vpc["CidrBlock"] == "10.0.0.0/16" and not vpc["IsDefault"], f"vpc {vpc}")
    mine = [{"Name": "vpc-id", "Values": [vpc["VpcId"]]}]
    c.client.get_waiter("vpc_available").wait(VpcIds=[vpc["VpcId"]])
    want([v["VpcId"] for v in c.pages("DescribeVpcs", "Vpcs", Filters=[{"Name": "tag:run", "Values": [story.run]}])] == [vpc["VpcId"]], "found by its tag")
    c.refused("DescribeVpcs", "InvalidVpcID.NotFound", 400, VpcIds=["vpc-00000000"])
    c.refused("CreateVpc", "DryRunOperation", 412, CidrBlock="10.0.0.0/16", DryRun=True)
    c.refused("CreateDefaultVpc", "DefaultVpcAlreadyExists", 400)
    story.called.add(("ec2", "CreateDefaultVpc"))
    c("ModifyVpcAttribute", VpcId=vpc["VpcId"], EnableDnsHostnames={"Value": True})
    want(c("DescribeVpcAttribute", VpcId=vpc["VpcId"], Attribute="enableDnsHostnames")["EnableDnsHostnames"]["Value"] is True, "names of hosts")
    subnets = [c("CreateSubnet", VpcId=vpc["VpcId"], CidrBlock=f"10.0.{n}.0/24", AvailabilityZone=f"us-east-1{zone}")["Subnet"]["SubnetId"] for n, zone in enumerate("ab")]
    c.client.get_waiter("subnet_available").wait(SubnetIds=subnets)
    want(len(c.client.describe_subnets(Filters=mine)["Subnets"]) == 2, "subnets of the VPC")
    story.called.add(("ec2", "DescribeSubnets"))
    c("ModifySubnetAttribute", SubnetId=subnets[0], MapPublicIpOnLaunch={"Value": True})
    group = groups(story, c, vpc["VpcId"], mine)
    endpoints(story, c, vpc["VpcId"], subnets, group)
    routing(story, c, vpc["VpcId"], subnets[0], mine)
    surroundings(story, c, mine)
    c.refused("DeleteVpc", "DependencyViolation", 400, VpcId=vpc["VpcId"])
    c("DeleteSecurityGroup", GroupId=group)
    for subnet in subnets:
        c("DeleteSubnet", SubnetId=subnet)
    c("DeleteVpc", VpcId=vpc["VpcId"])


def groups(story, c, vpc, mine):
    want = story.want
    group = c("CreateSecurityGroup", GroupName="web " + story.run, Description="web", VpcId=vpc)["GroupId"]
    https = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443}
    rules = c("AuthorizeSecurityGroupIngress", GroupId=group, IpPermissions=[
        {**https, "IpRanges": [{"CidrIp": "10.0.0.0/16", "Description": "inside"}], "Ipv6Ranges": [{"CidrIpv6": "fd00::/8"}], "UserIdGroupPairs": [{"GroupId": group}]},
        {"IpProtocol": "icmp", "FromPort": 8, "ToPort": -1, "IpRanges": [{"CidrIp": "10.0.0.0/16"}]},
    ])["SecurityGroupRules"]
    want(len(rules) == 4 and all(r["SecurityGroupRuleId"].startswith("sgr-") for r in rules), f"rules {rules}")
    c("AuthorizeSecurityGroupEgress", GroupId=group, IpPermissions=[{"IpProtocol": "udp", "FromPort": 53, "ToPort": 53, "IpRanges": [{"CidrIp": "10.0.0.2/32"}]}])
    shown = c("DescribeSecurityGroups", GroupIds=[group])["SecurityGroups"][0]
    want(len(shown["IpPermissions"]) == 2 and shown["IpPermissions"][0]["UserIdGroupPairs"][0]["GroupId"] == group and len(shown["IpPermissionsEgress"]) == 2, f"group {shown}")
    want(len(c.pages("DescribeSecurityGroupRules", "SecurityGroupRules", Filters=[{"Name": "group-id", "Values": [group]}])) == 6, "rules of the group")
    c.refused("AuthorizeSecurityGroupIngress", "InvalidPermission.Duplicate", 400, GroupId=group, IpPermissions=[{**https, "IpRanges": [{"CidrIp": "10.0.0.0/16"}]}])
    ping = next(r for r in rules if r["IpProtocol"] == "icmp")["SecurityGroupRuleId"]
    c("ModifySecurityGroupRules", GroupId=group, SecurityGroupRules=[
        {"SecurityGroupRuleId": ping, "SecurityGroupRule": {"IpProtocol": "icmp", "FromPort": 8, "ToPort": -1, "CidrIpv4": "10.0.1.0/24"}}])
    want(c("DescribeSecurityGroupRules", SecurityGroupRuleIds=[ping])["SecurityGroupRules"][0]["CidrIpv4"] == "10.0.1.0/24", "the changed rule")
    c("UpdateSecurityGroupRuleDescriptionsIngress", GroupId=group, SecurityGroupRuleDescriptions=[{"SecurityGroupRuleId": ping, "Description": "ping"}])
    c("UpdateSecurityGroupRuleDescriptionsEgress", GroupId=group, IpPermissions=[
        {"IpProtocol": "udp", "FromPort": 53, "ToPort": 53, "IpRanges": [{"CidrIp": "10.0.0.2/32", "Description": "names"}]}])
    c("RevokeSecurityGroupIngress", GroupId=group, IpPermissions=[{**https, "UserIdGroupPairs": [{"GroupId": group}]}])
    c("RevokeSecurityGroupEgress", GroupId=group, SecurityGroupRuleIds=[r["SecurityGroupRuleId"] for r in c("DescribeSecurityGroupRules", Filters=[
        {"Name": "group-id", "Values": [group]}])["SecurityGroupRules"] if r["IsEgress"]])
    want(len(c("DescribeSecurityGroups", Filters=mine)["SecurityGroups"]) == 2, "the group and the default one")
    return group


def endpoints(story, c, vpc, subnets, group):
    want = story.want
    made = c("CreateVpcEndpoint", VpcId=vpc, ServiceName=REQUESTS, VpcEndpointType="Interface", SubnetIds=subnets, SecurityGroupIds=[group])["VpcEndpoint"]
    one = {"VpcEndpointIds": [made["VpcEndpointId"]]}
    shown = c("DescribeVpcEndpoints", **one)["VpcEndpoints"][0]
    names = [d["DnsName"] for d in shown["DnsEntries"]]
    want(len(names) == 3 and all(".requests.apprunner.us-east-1.vpce." in n for n in names), f"names {names}")
    interfaces = c("DescribeNetworkInterfaces", NetworkInterfaceIds=shown["NetworkInterfaceIds"])["NetworkInterfaces"]
    want({i["SubnetId"] for i in interfaces} == set(subnets) and all(i["Groups"][0]["GroupId"] == group for i in interfaces), f"interfaces {interfaces}")
    c("ModifyVpcEndpoint", VpcEndpointId=made["VpcEndpointId"], RemoveSubnetIds=subnets[1:])
    c.refused("CreateVpcEndpoint", "InvalidServiceName", 400, VpcId=vpc, ServiceName="com.amazonaws.us-east-1.s3")
    want(REQUESTS in c("DescribeVpcEndpointServices")["ServiceNames"], "the service of private services")
    want(c("DeleteVpcEndpoints", VpcEndpointIds=[made["VpcEndpointId"], "vpce-00000000"])["Unsuccessful"][0]["Error"]["Code"] == "InvalidVpcEndpointId.NotFound", "an endpoint there is not")


def routing(story, c, vpc, subnet, mine):
    want = story.want
    table = c("CreateRouteTable", VpcId=vpc)["RouteTable"]["RouteTableId"]
    association = c("AssociateRouteTable", RouteTableId=table, SubnetId=subnet)["AssociationId"]
    gateway = c("CreateInternetGateway")["InternetGateway"]["InternetGatewayId"]
    c("AttachInternetGateway", InternetGatewayId=gateway, VpcId=vpc)
    want(c("DescribeInternetGateways", InternetGatewayIds=[gateway])["InternetGateways"][0]["Attachments"][0]["VpcId"] == vpc, "attached")
    c("CreateRoute", RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    want(len(c("DescribeRouteTables", RouteTableIds=[table])["RouteTables"][0]["Routes"]) == 2, "two routes")
    address = c("AllocateAddress", Domain="vpc")["AllocationId"]
    nat = c("CreateNatGateway", SubnetId=subnet, AllocationId=address)["NatGateway"]["NatGatewayId"]
    c.client.get_waiter("nat_gateway_available").wait(NatGatewayIds=[nat])
    want(c("DescribeAddresses", AllocationIds=[address])["Addresses"][0]["NetworkInterfaceId"].startswith("eni-"), "an address in use")
    c.refused("ReleaseAddress", "InvalidIPAddress.InUse", 400, AllocationId=address)
    c("ReplaceRoute", RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", NatGatewayId=nat)
    want(nat in [r.get("NatGatewayId") for r in c("DescribeRouteTables", RouteTableIds=[table])["RouteTables"][0]["Routes"]], "the route leads to the NAT gateway")
    c.refused("DisassociateAddress", "AuthFailure", 400, AssociationId=c("DescribeAddresses", AllocationIds=[address])["Addresses"][0]["AssociationId"])
    story.called.add(("ec2", "DisassociateAddress"))
    c("ReplaceRoute", RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    c("DeleteNatGateway", NatGatewayId=nat)
    want(c("DescribeNatGateways", Filter=mine)["NatGateways"][0]["State"] == "deleted", "a deleted NAT gateway")
    c("ReleaseAddress", AllocationId=address)
    c("DeleteRoute", RouteTableId=table, DestinationCidrBlock="0.0.0.0/0")
    c("DetachInternetGateway", InternetGatewayId=gateway, VpcId=vpc)
    c("DeleteInternetGateway", InternetGatewayId=gateway)
    other = c("CreateRouteTable", VpcId=vpc)["RouteTable"]["RouteTableId"]
    association = c("ReplaceRouteTableAssociation", AssociationId=association, RouteTableId=other)["NewAssociationId"]
    c("DisassociateRouteTable", AssociationId=association)
    for table in table, other:
        c("DeleteRouteTable", RouteTableId=table)


def surroundings(story, c, mine):
    want = story.want
    want(len(c("DescribeAvailabilityZones")["AvailabilityZones"]) == 3, "three zones")
    want(c("DescribeRegions")["Regions"][0]["RegionName"] == "us-east-1", "the region")
    c("DescribeAccountAttributes")
    want(c("DescribePrefixLists")["PrefixLists"] == [], "prefix lists")
    c("DescribeDhcpOptions")
    want(c("DescribeNetworkAcls", Filters=mine)["NetworkAcls"][0]["IsDefault"], "the default network ACL")
    vpc = mine[0]["Values"][0]
    c("CreateTags", Resources=[vpc], Tags=[{"Key": "a", "Value": "b"}, {"Key": "c", "Value": ""}])
    c("DeleteTags", Resources=[vpc], Tags=[{"Key": "a"}])
    want(len(c.pages("DescribeTags", "Tags", Filters=[{"Name": "resource-id", "Values": [vpc]}])) == 2, "two tags are left")
