"""Calls every action of the identity, registry, logs and trail APIs through botocore and holds each answer against its model.

Standard input is a JSON object of the actions that are served, by signing name; each of the APIs below must be covered by the
story. Exit status 1, and a line for each fault, when something is wrong.
"""
import base64
import hashlib
import hmac
import json
import struct
import sys
import time
import uuid
import xml.etree.ElementTree as ET

import botocore.session
from botocore.config import Config
from botocore.exceptions import ClientError

sys.dont_write_bytecode = True  # beside the sources

from botocore_networks import networks  # noqa: E402

served = json.loads(sys.stdin.read() or "{}") or {}
faults, called = [], set()
run = uuid.uuid4().hex[:8]  # names of this run, for endpoints that keep things


def fault(text):
    faults.append(text)


def shape_json(where, shape, value):
    if value is None:
        return fault(f"{where}: null")
    kind = shape.type_name
    if kind == "structure" and isinstance(value, dict):
        for name, v in value.items():
            member = shape.members.get(name)
            if member is None:
                fault(f"{where}: member {name} is not in the model")
            else:
                shape_json(f"{where}.{name}", member, v)
        for name in shape.required_members:
            if name not in value:
                fault(f"{where}: required member {name} is missing")
    elif kind == "list" and isinstance(value, list):
        for v in value:
            shape_json(where + "[]", shape.member, v)
    elif kind == "map" and isinstance(value, dict):
        for v in value.values():
            shape_json(where + "{}", shape.value, v)
    elif kind in ("string", "blob") and isinstance(value, str):
        enum = getattr(shape, "enum", None)
        if enum and value not in enum:
            fault(f"{where}: {value} is none of {enum}")
    elif kind in ("integer", "long", "timestamp", "double", "float") and isinstance(value, (int, float)) and not isinstance(value, bool):
        pass
    elif kind == "boolean" and isinstance(value, bool):
        pass
    else:
        fault(f"{where}: {kind} is sent as {value!r}")


# What EC2 says where its model lists other words.
SAID_OTHERWISE = {
    ("ec2:DescribeInternetGateways.InternetGateways[].Attachments[].State", "available"),
    ("ec2:CreateVpcEndpoint.VpcEndpoint.State", "available"), ("ec2:CreateVpcEndpoint.VpcEndpoint.State", "pending"),
    ("ec2:DescribeVpcEndpoints.VpcEndpoints[].State", "available"), ("ec2:DescribeVpcEndpoints.VpcEndpoints[].State", "pending"),
}


def local(element):
    return element.tag.rsplit("}", 1)[-1]


def shape_xml(where, shape, element):
    kind = shape.type_name
    if kind == "structure":
        known = {m.serialization.get("name", n): m for n, m in shape.members.items()}
        spelt = {m.serialization.get("name", n): n for n, m in shape.members.items()}
        seen = set()
        for child in element:
            name = local(child)
            seen.add(name)
            if name not in known:
                fault(f"{where}: member {name} is not in the model")
            else:
                shape_xml(f"{where}.{spelt[name]}", known[name], child)
        for name in shape.required_members:
            if name not in seen:
                fault(f"{where}: required member {name} is missing")
    elif kind == "list":
        item = shape.member.serialization.get("name", "member")
        for child in element:
            if local(child) != item:
                fault(f"{where}: an entry is called {local(child)}, not {item}")
            shape_xml(where + "[]", shape.member, child)
    elif kind == "string":
        enum = getattr(shape, "enum", None)
        if enum and (element.text or "") not in enum and (where, element.text) not in SAID_OTHERWISE:
            fault(f"{where}: {element.text} is none of {enum}")


def judge(operation_model, http, **_):
    """Holds a raw answer against the model: the parser passes over what it does not know."""
    if http["status_code"] >= 300:
        return
    where, out = f"{operation_model.service_model.signing_name}:{operation_model.name}", operation_model.output_shape
    if operation_model.service_model.metadata["protocol"] == "query":
        root = ET.fromstring(http["body"])
        parts = {local(c): c for c in root}
        if "ResponseMetadata" not in parts or local(root) != operation_model.name + "Response":
            fault(f"{where}: envelope {local(root)} {sorted(parts)}")
        if out is not None and "resultWrapper" in out.serialization:
            if out.serialization["resultWrapper"] in parts:
                shape_xml(where, out, parts[out.serialization["resultWrapper"]])
            elif out.required_members:
                fault(f"{where}: no result")
        return
    if operation_model.service_model.metadata["protocol"] == "ec2":
        return judge_ec2(where, operation_model, ET.fromstring(http["body"]))
    body = json.loads(http["body"] or b"{}")
    if out is not None:
        shape_json(where, out, body)
    elif body:
        fault(f"{where}: an answer where there is none: {body}")


def judge_ec2(where, operation_model, root):
    heads = [c for c in root if local(c) == "requestId"]
    if local(root) != operation_model.name + "Response" or len(heads) != 1:
        fault(f"{where}: envelope {local(root)} with {len(heads)} request ids")
    for head in heads:
        root.remove(head)
    if operation_model.output_shape is not None:
        shape_xml(where, operation_model.output_shape, root)


class Client:
    def __init__(self, service, **credentials):
        session = botocore.session.get_session()
        config = Config(retries={"max_attempts": 0}, parameter_validation=True)
        self.client = session.create_client(service, config=config, **credentials)
        self.service = self.client.meta.service_model.signing_name
        self.client.meta.events.register("before-parse.*.*", lambda operation_model, response_dict, **kw: judge(operation_model, response_dict))

    def method(self, operation):
        names = {v: k for k, v in self.client.meta.method_to_api_mapping.items()}
        return getattr(self.client, names[operation])

    def __call__(self, operation, **params):
        try:
            answer = self.method(operation)(**params)
        except ClientError as e:
            fault(f"{self.service}:{operation}: {e}")
            return {}
        called.add((self.service, operation))
        if len(answer["ResponseMetadata"].get("RequestId", "")) != 36:
            fault(f"{self.service}:{operation}: request id {answer['ResponseMetadata'].get('RequestId')}")
        return answer

    def refused(self, operation, code, status, cls=None, **params):
        """Wants a refusal with a code, the HTTP status, and the class that the client has for it."""
        try:
            self.method(operation)(**params)
            return fault(f"{self.service}:{operation}: not refused, want {code}")
        except ClientError as e:
            got = (e.response["Error"]["Code"], e.response["ResponseMetadata"]["HTTPStatusCode"])
            if got != (code, status):
                fault(f"{self.service}:{operation}: {got} {e}, want {code} {status}")
            if cls and not isinstance(e, getattr(self.client.exceptions, cls)):
                fault(f"{self.service}:{operation}: raised {type(e).__name__}, want {cls}")

    def pages(self, operation, key, **params):
        names = {v: k for k, v in self.client.meta.method_to_api_mapping.items()}
        found = []
        paginator = self.client.get_paginator(names[operation])
        size = {"PageSize": 5 if self.service == "ec2" else 2} if paginator._limit_key else {}
        for page in paginator.paginate(PaginationConfig=size, **params):
            found += page[key]
        called.add((self.service, operation))
        return found


def policy(action="apprunner:List*"):
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}]})


def trust(principal):
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}]})


def want(condition, text):
    if not condition:
        fault(text)


def identities():
    c = Client("iam")
    user, group, role = f"ana-{run}", f"devs-{run}", f"app-{run}"
    made = c("CreateUser", UserName=user, Path="/team/", Tags=[{"Key": "Owner", "Value": "x"}])["User"]
    want(made["UserId"].startswith("AIDA") and made["Arn"].endswith(f":user/team/{user}"), f"user {made}")
    c.refused("CreateUser", "EntityAlreadyExists", 409, "EntityAlreadyExistsException", UserName=user)
    c("GetUser", UserName=user)
    c("GetUser")
    c("TagUser", UserName=user, Tags=[{"Key": "a", "Value": "b"}])
    want(len(c("ListUserTags", UserName=user)["Tags"]) == 2, "tags of the user")
    c("UntagUser", UserName=user, TagKeys=["a"])
    for n in range(4):
        c("CreateUser", UserName=f"more-{n}-{run}")
    want(len([u for u in c.pages("ListUsers", "Users") if run in u["UserName"]]) == 5, "users in pages")
    for n in range(4):
        c("DeleteUser", UserName=f"more-{n}-{run}")
    keys = [c("CreateAccessKey", UserName=user)["AccessKey"] for _ in range(2)]
    want(len(keys[0]["SecretAccessKey"]) == 40 and keys[0]["AccessKeyId"].startswith("AKIA"), f"key {keys[0]}")
    c.refused("CreateAccessKey", "LimitExceeded", 409, "LimitExceededException", UserName=user)
    want("SecretAccessKey" not in c("ListAccessKeys", UserName=user)["AccessKeyMetadata"][0], "a secret is listed")
    c("UpdateAccessKey", UserName=user, AccessKeyId=keys[1]["AccessKeyId"], Status="Inactive")
    c("GetAccessKeyLastUsed", AccessKeyId=keys[0]["AccessKeyId"])
    ana = dict(aws_access_key_id=keys[0]["AccessKeyId"], aws_secret_access_key=keys[0]["SecretAccessKey"])
    Client("iam", **ana).refused("ListUsers", "AccessDenied", 403)
    Client("iam", aws_access_key_id=keys[1]["AccessKeyId"], aws_secret_access_key=keys[1]["SecretAccessKey"]).refused("ListUsers", "InvalidClientTokenId", 403)

    c("CreateGroup", GroupName=group)
    c("AddUserToGroup", GroupName=group, UserName=user)
    want(c("GetGroup", GroupName=group)["Users"][0]["UserName"] == user, "member of the group")
    want(c("ListGroupsForUser", UserName=user)["Groups"][0]["GroupName"] == group, "group of the user")
    c.pages("ListGroups", "Groups")
    c("CreateRole", RoleName=role, AssumeRolePolicyDocument=trust({"Service": "tasks.apprunner.amazonaws.com"}), Description="a & b", MaxSessionDuration=7200)
    c.refused("CreateRole", "MalformedPolicyDocument", 400, "MalformedPolicyDocumentException", RoleName="bad", AssumeRolePolicyDocument="{}")
    want(c("GetRole", RoleName=role)["Role"]["AssumeRolePolicyDocument"]["Version"] == "2012-10-17", "the trust policy is not read as an object")
    c("UpdateRole", RoleName=role, MaxSessionDuration=3600)
    c("UpdateRoleDescription", RoleName=role, Description="c")
    c("TagRole", RoleName=role, Tags=[{"Key": "a", "Value": "b"}])
    c("ListRoleTags", RoleName=role)
    c("UntagRole", RoleName=role, TagKeys=["a"])
    c.pages("ListRoles", "Roles")
    c("ListInstanceProfilesForRole", RoleName=role)
    attachments(c, user, group, role)
    account(c, user, made["Arn"])
    second_factor(c, user)
    providers(c)
    tokens(c, user, role, ana)
    c("RemoveUserFromGroup", GroupName=group, UserName=user)
    c("UpdateGroup", GroupName=group, NewGroupName=group + "-2")
    c("DeleteGroup", GroupName=group + "-2")
    c("DeleteRole", RoleName=role)
    c.refused("DeleteUser", "DeleteConflict", 409, "DeleteConflictException", UserName=user)
    for k in keys:
        c("DeleteAccessKey", UserName=user, AccessKeyId=k["AccessKeyId"])
    c("UpdateUser", UserName=user, NewUserName=user + "-2")
    c("DeleteUser", UserName=user + "-2")
    c.refused("GetUser", "NoSuchEntity", 404, "NoSuchEntityException", UserName=user)


def attachments(c, user, group, role):
    made = c("CreatePolicy", PolicyName=f"p-{run}", PolicyDocument=policy(), Description="d", Tags=[{"Key": "a", "Value": "b"}])["Policy"]
    arn = made["Arn"]
    c("GetPolicy", PolicyArn=arn)
    c("CreatePolicyVersion", PolicyArn=arn, PolicyDocument=policy("apprunner:Describe*"))
    want(c("GetPolicyVersion", PolicyArn=arn, VersionId="v2")["PolicyVersion"]["Document"]["Statement"][0]["Action"] == "apprunner:Describe*", "version v2")
    want(len(c.pages("ListPolicyVersions", "Versions", PolicyArn=arn)) == 2, "versions in pages")
    c("SetDefaultPolicyVersion", PolicyArn=arn, VersionId="v2")
    c.refused("DeletePolicyVersion", "DeleteConflict", 409, "DeleteConflictException", PolicyArn=arn, VersionId="v2")
    c("DeletePolicyVersion", PolicyArn=arn, VersionId="v1")
    c("TagPolicy", PolicyArn=arn, Tags=[{"Key": "c", "Value": "d"}])
    c("ListPolicyTags", PolicyArn=arn)
    c("UntagPolicy", PolicyArn=arn, TagKeys=["c"])
    names = {p["PolicyName"] for p in c.pages("ListPolicies", "Policies", Scope="AWS")}
    want({"AdministratorAccess", "AWSAppRunnerFullAccess", "AWSAppRunnerReadOnlyAccess"} <= names, f"managed policies {names}")
    c.refused("CreatePolicyVersion", "AccessDenied", 403, PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess", PolicyDocument=policy())
    for kind, key, name in (("User", "UserName", user), ("Group", "GroupName", group), ("Role", "RoleName", role)):
        on = {key: name}
        c(f"Attach{kind}Policy", PolicyArn=arn, **on)
        want(c(f"ListAttached{'User' if kind == 'User' else kind}Policies", **on)["AttachedPolicies"][0]["PolicyArn"] == arn, f"attached to {kind}")
        c(f"Put{kind}Policy", PolicyName="in", PolicyDocument=policy(), **on)
        want(c(f"Get{kind}Policy", PolicyName="in", **on)["PolicyDocument"]["Version"] == "2012-10-17", f"inline of {kind}")
        want(c(f"List{kind}Policies", **on)["PolicyNames"] == ["in"], f"inline policies of {kind}")
    want(len(c("ListEntitiesForPolicy", PolicyArn=arn)["PolicyRoles"]) == 1, "entities")
    c.refused("DeletePolicy", "DeleteConflict", 409, "DeleteConflictException", PolicyArn=arn)
    c("GetAccountAuthorizationDetails", Filter=["User", "Group", "Role", "LocalManagedPolicy"])
    for kind, key, name in (("User", "UserName", user), ("Group", "GroupName", group), ("Role", "RoleName", role)):
        c(f"Detach{kind}Policy", PolicyArn=arn, **{key: name})
        c(f"Delete{kind}Policy", PolicyName="in", **{key: name})
    for kind, key, name in (("User", "UserName", user), ("Role", "RoleName", role)):
        c(f"Put{kind}PermissionsBoundary", PermissionsBoundary=arn, **{key: name})
        c(f"Delete{kind}PermissionsBoundary", **{key: name})
    c("DeletePolicy", PolicyArn=arn)


def account(c, user, arn):
    c("CreateLoginProfile", UserName=user, Password="First-pass1", PasswordResetRequired=False)
    c.refused("UpdateLoginProfile", "PasswordPolicyViolation", 400, "PasswordPolicyViolationException", UserName=user, Password="x")
    c("UpdateLoginProfile", UserName=user, Password="Second-pass2")
    c("GetLoginProfile", UserName=user)
    c("PutUserPolicy", UserName=user, PolicyName="own", PolicyDocument=policy(["iam:ChangePassword", "sts:*"]))
    c("CreateAccountAlias", AccountAlias=f"shop-{run}")
    want(c("ListAccountAliases")["AccountAliases"] == [f"shop-{run}"], "alias")
    c("DeleteAccountAlias", AccountAlias=f"shop-{run}")
    want(c("GetAccountSummary")["SummaryMap"]["Users"] >= 1, "summary")
    got = c("SimulatePrincipalPolicy", PolicySourceArn=arn, ActionNames=["iam:ChangePassword", "iam:ListUsers"])["EvaluationResults"]
    want([r["EvalDecision"] for r in got] == ["allowed", "implicitDeny"], f"simulation {got}")
    c("SimulateCustomPolicy", PolicyInputList=[policy()], ActionNames=["apprunner:ListServices"], ResourceArns=["*"])
    c("CreateServiceLinkedRole", AWSServiceName="networking.apprunner.amazonaws.com")
    c.refused("CreateServiceLinkedRole", "InvalidInput", 400, "InvalidInputException", AWSServiceName="networking.apprunner.amazonaws.com")
    c.refused("DeleteRole", "UnmodifiableEntity", 400, "UnmodifiableEntityException", RoleName="AWSServiceRoleForAppRunnerNetworking")
    task = c("DeleteServiceLinkedRole", RoleName="AWSServiceRoleForAppRunnerNetworking")["DeletionTaskId"]
    want(c("GetServiceLinkedRoleDeletionStatus", DeletionTaskId=task)["Status"] == "SUCCEEDED", "deletion of the linked role")


def code(seed, steps=0):
    """What an authenticator shows so many steps of 30 s from now (RFC 6238)."""
    digest = hmac.new(base64.b32decode(seed), struct.pack(">Q", int(time.time()) // 30 + steps), hashlib.sha1).digest()
    at = digest[-1] & 15
    return "%06d" % ((struct.unpack(">I", digest[at:at + 4])[0] & 0x7FFFFFFF) % 1000000)


def second_factor(c, user):
    device = c("CreateVirtualMFADevice", VirtualMFADeviceName=user)["VirtualMFADevice"]
    serial, seed = device["SerialNumber"], device["Base32StringSeed"]
    want(device["QRCodePNG"].startswith(b"\x89PNG"), "the picture of the MFA device")
    c.refused("EnableMFADevice", "InvalidAuthenticationCode", 403, "InvalidAuthenticationCodeException",
              UserName=user, SerialNumber=serial, AuthenticationCode1=code(seed), AuthenticationCode2=code(seed))
    c("EnableMFADevice", UserName=user, SerialNumber=serial, AuthenticationCode1=code(seed, -2), AuthenticationCode2=code(seed, -1))
    c("ResyncMFADevice", UserName=user, SerialNumber=serial, AuthenticationCode1=code(seed), AuthenticationCode2=code(seed, 1))
    want([d["SerialNumber"] for d in c.pages("ListMFADevices", "MFADevices", UserName=user)] == [serial], "the user's MFA devices")
    want(serial in [d["SerialNumber"] for d in c.pages("ListVirtualMFADevices", "VirtualMFADevices")], "MFA devices")
    c("GetMFADevice", UserName=user, SerialNumber=serial)
    c.refused("DeleteVirtualMFADevice", "DeleteConflict", 409, "DeleteConflictException", SerialNumber=serial)
    c("DeactivateMFADevice", UserName=user, SerialNumber=serial)
    c("DeleteVirtualMFADevice", SerialNumber=serial)


def providers(c):
    arn = c("CreateOpenIDConnectProvider", Url=f"https://{run}.example.com", ClientIDList=["sts.amazonaws.com"])["OpenIDConnectProviderArn"]
    c("AddClientIDToOpenIDConnectProvider", OpenIDConnectProviderArn=arn, ClientID="ci")
    c("RemoveClientIDFromOpenIDConnectProvider", OpenIDConnectProviderArn=arn, ClientID="sts.amazonaws.com")
    c("UpdateOpenIDConnectProviderThumbprint", OpenIDConnectProviderArn=arn, ThumbprintList=["ab" * 20])
    got = c("GetOpenIDConnectProvider", OpenIDConnectProviderArn=arn)
    want(got["ClientIDList"] == ["ci"] and got["ThumbprintList"] == ["ab" * 20], f"provider {got}")
    c("TagOpenIDConnectProvider", OpenIDConnectProviderArn=arn, Tags=[{"Key": "a", "Value": "b"}, {"Key": "c", "Value": "d"}])
    c("UntagOpenIDConnectProvider", OpenIDConnectProviderArn=arn, TagKeys=["a"])
    want(c("ListOpenIDConnectProviderTags", OpenIDConnectProviderArn=arn)["Tags"] == [{"Key": "c", "Value": "d"}], "tags of the provider")
    want(arn in [p["Arn"] for p in c("ListOpenIDConnectProviders")["OpenIDConnectProviderList"]], "providers")
    c("DeleteOpenIDConnectProvider", OpenIDConnectProviderArn=arn)
    c.refused("DeleteOpenIDConnectProvider", "NoSuchEntity", 404, "NoSuchEntityException", OpenIDConnectProviderArn=arn)
    # An answer takes a provider on the network; a token of none is refused without a signature of the caller's.
    Client("sts").refused("AssumeRoleWithWebIdentity", "InvalidIdentityToken", 400, "InvalidIdentityTokenException",
                          RoleArn=arn.split(":oidc")[0] + ":role/nobody", RoleSessionName="work", WebIdentityToken="no.such.token")
    called.add(("sts", "AssumeRoleWithWebIdentity"))


def tokens(c, user, role, ana):
    sts = Client("sts", **ana)
    Client("iam", **ana)("ChangePassword", OldPassword="Second-pass2", NewPassword="Third-pass3")
    c("DeleteLoginProfile", UserName=user)
    me = sts("GetCallerIdentity")
    c("UpdateAssumeRolePolicy", RoleName=role, PolicyDocument=trust({"AWS": me["Arn"]}))
    sts("GetAccessKeyInfo", AccessKeyId=ana["aws_access_key_id"])
    arn = c("GetRole", RoleName=role)["Role"]["Arn"]
    for got in (sts("AssumeRole", RoleArn=arn, RoleSessionName="work"), sts("GetSessionToken"), sts("GetFederationToken", Name="guest", Policy=policy("iam:*"))):
        cred = got["Credentials"]
        session = dict(aws_access_key_id=cred["AccessKeyId"], aws_secret_access_key=cred["SecretAccessKey"], aws_session_token=cred["SessionToken"])
        Client("sts", **session)("GetCallerIdentity")
    sts.refused("AssumeRole", "AccessDenied", 403, RoleArn=arn + "x", RoleSessionName="work")
    sts.refused("AssumeRole", "ValidationError", 400, RoleArn=arn, RoleSessionName="work", DurationSeconds=43200)
    Client("sts", aws_access_key_id=ana["aws_access_key_id"], aws_secret_access_key="x" * 40).refused("GetCallerIdentity", "SignatureDoesNotMatch", 403)
    c("DeleteUserPolicy", UserName=user, PolicyName="own")


def registry():
    c = Client("ecr")
    name = f"team/app-{run}"
    made = c("CreateRepository", repositoryName=name, tags=[{"Key": "a", "Value": "b"}])["repository"]
    c.refused("CreateRepository", "RepositoryAlreadyExistsException", 400, "RepositoryAlreadyExistsException", repositoryName=name)
    c.pages("DescribeRepositories", "repositories")
    c("DescribeRegistry")
    c("GetAuthorizationToken")
    c("PutImageTagMutability", repositoryName=name, imageTagMutability="MUTABLE")
    c("PutImageScanningConfiguration", repositoryName=name, imageScanningConfiguration={"scanOnPush": True})
    c("TagResource", resourceArn=made["repositoryArn"], tags=[{"Key": "c", "Value": "d"}])
    c("ListTagsForResource", resourceArn=made["repositoryArn"])
    c("UntagResource", resourceArn=made["repositoryArn"], tagKeys=["c"])
    doc = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "ecr:ListImages"}]})
    c("SetRepositoryPolicy", repositoryName=name, policyText=doc)
    c("GetRepositoryPolicy", repositoryName=name)
    c("DeleteRepositoryPolicy", repositoryName=name)
    c.refused("GetRepositoryPolicy", "RepositoryPolicyNotFoundException", 400, "RepositoryPolicyNotFoundException", repositoryName=name)
    rules = [{"rulePriority": 1, "selection": {"tagStatus": "untagged", "countType": "imageCountMoreThan", "countNumber": 3}, "action": {"type": "expire"}}]
    c("PutLifecyclePolicy", repositoryName=name, lifecyclePolicyText=json.dumps({"rules": rules}))
    want(json.loads(c("GetLifecyclePolicy", repositoryName=name)["lifecyclePolicyText"])["rules"] == rules, "the lifecycle policy")
    c("DeleteLifecyclePolicy", repositoryName=name)
    c.refused("GetLifecyclePolicy", "LifecyclePolicyNotFoundException", 400, "LifecyclePolicyNotFoundException", repositoryName=name)

    def upload(content):
        up = c("InitiateLayerUpload", repositoryName=name)
        c("UploadLayerPart", repositoryName=name, uploadId=up["uploadId"], partFirstByte=0, partLastByte=len(content) - 1, layerPartBlob=content)
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        c("CompleteLayerUpload", repositoryName=name, uploadId=up["uploadId"], layerDigests=[digest])
        return digest

    config = json.dumps({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}, "config": {}}).encode()
    digest = upload(config)
    manifest = json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": {
        "mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest, "size": len(config)}, "layers": []})
    want(c("BatchCheckLayerAvailability", repositoryName=name, layerDigests=[digest])["layers"][0]["layerAvailability"] == "AVAILABLE", "layer")
    c("PutImage", repositoryName=name, imageManifest=manifest, imageManifestMediaType="application/vnd.oci.image.manifest.v1+json", imageTag="one")
    c.pages("ListImages", "imageIds", repositoryName=name)
    c.pages("DescribeImages", "imageDetails", repositoryName=name)
    c("BatchGetImage", repositoryName=name, imageIds=[{"imageTag": "one"}, {"imageTag": "none"}])
    if "GetDownloadUrlForLayer" in served.get("ecr", []):
        c("GetDownloadUrlForLayer", repositoryName=name, layerDigest=digest)
    c.refused("DeleteRepository", "RepositoryNotEmptyException", 400, "RepositoryNotEmptyException", repositoryName=name)
    c("BatchDeleteImage", repositoryName=name, imageIds=[{"imageTag": "one"}])
    c("DeleteRepository", repositoryName=name, force=True)
    c.refused("ListImages", "RepositoryNotFoundException", 400, "RepositoryNotFoundException", repositoryName=name)


def logs():
    c = Client("logs")
    group, now = f"/conformance/{run}", int(time.time() * 1000)
    c("CreateLogGroup", logGroupName=group)
    c.refused("CreateLogGroup", "ResourceAlreadyExistsException", 400, "ResourceAlreadyExistsException", logGroupName=group)
    for n in range(3):
        c("CreateLogStream", logGroupName=group, logStreamName=f"s{n}")
    arn = c("DescribeLogGroups", logGroupNamePrefix=group)["logGroups"][0]["arn"].removesuffix(":*")
    c("TagResource", resourceArn=arn, tags={"a": "b", "c": "d"})
    c("UntagResource", resourceArn=arn, tagKeys=["a"])
    c("TagLogGroup", logGroupName=group, tags={"e": "f", "g": "h"})
    c("UntagLogGroup", logGroupName=group, tags=["g"])
    want(c("ListTagsForResource", resourceArn=arn)["tags"] == c("ListTagsLogGroup", logGroupName=group)["tags"] == {"c": "d", "e": "f"}, "tags of the log group")
    c.pages("DescribeLogGroups", "logGroups", logGroupNamePrefix=group)
    want(len(c.pages("DescribeLogStreams", "logStreams", logGroupName=group)) == 3, "streams in pages")
    c("PutLogEvents", logGroupName=group, logStreamName="s0", logEvents=[{"timestamp": now + n, "message": f"line {n}"} for n in range(5)])
    want(len(c("GetLogEvents", logGroupName=group, logStreamName="s0", startFromHead=True)["events"]) == 5, "events")
    want(len(c.pages("FilterLogEvents", "events", logGroupName=group, filterPattern="line")) == 5, "filtered events")
    c("PutRetentionPolicy", logGroupName=group, retentionInDays=7)
    c.refused("PutRetentionPolicy", "InvalidParameterException", 400, "InvalidParameterException", logGroupName=group, retentionInDays=2)
    c("DeleteRetentionPolicy", logGroupName=group)
    c("DeleteLogStream", logGroupName=group, logStreamName="s2")
    c("DeleteLogGroup", logGroupName=group)
    c.refused("GetLogEvents", "ResourceNotFoundException", 400, "ResourceNotFoundException", logGroupName=group, logStreamName="s0")


def trails():
    c = Client("cloudtrail")
    name = f"trail-{run}"
    arn = c("CreateTrail", Name=name, S3BucketName=f"bucket-{run}", TagsList=[{"Key": "a", "Value": "b"}])["TrailARN"]
    c.refused("CreateTrail", "TrailAlreadyExistsException", 400, "TrailAlreadyExistsException", Name=name, S3BucketName="bucket")
    c("StartLogging", Name=name)
    c("GetTrail", Name=name)
    c("GetTrailStatus", Name=name)
    c("DescribeTrails")
    c.pages("ListTrails", "Trails")
    c("PutEventSelectors", TrailName=name, EventSelectors=[{"ReadWriteType": "WriteOnly", "IncludeManagementEvents": True}])
    c("GetEventSelectors", TrailName=name)
    c("AddTags", ResourceId=arn, TagsList=[{"Key": "c", "Value": "d"}])
    c("ListTags", ResourceIdList=[arn])
    c("RemoveTags", ResourceId=arn, TagsList=[{"Key": "c"}])
    c("UpdateTrail", Name=name, S3KeyPrefix="x")
    c("StopLogging", Name=name)
    c("DeleteTrail", Name=name)
    c.refused("GetTrailStatus", "TrailNotFoundException", 400, "TrailNotFoundException", Name=name)
    events = c.pages("LookupEvents", "Events", LookupAttributes=[{"AttributeKey": "ResourceName", "AttributeValue": arn}])
    want({e["EventName"] for e in events} >= {"CreateTrail"} and all(json.loads(e["CloudTrailEvent"])["eventVersion"] == "1.08" for e in events), f"events {events}")
    c.refused("LookupEvents", "InvalidTimeRangeException", 400, "InvalidTimeRangeException", StartTime=2, EndTime=1)


def runner():
    c = Client("apprunner")
    c("ListServices")
    c.refused("DescribeService", "ResourceNotFoundException", 400, "ResourceNotFoundException",
              ServiceArn="arn:aws:apprunner:us-east-1:123456789012:service/none/" + "0" * 32)
    c.refused("CreateService", "InvalidRequestException", 400, "InvalidRequestException", ServiceName="abc-" + run, SourceConfiguration={})
    q = Client("service-quotas")
    q("ListServiceQuotas", ServiceCode="apprunner")
    q.refused("GetServiceQuota", "NoSuchResourceException", 400, "NoSuchResourceException", ServiceCode="apprunner", QuotaCode="L-NOTHING")


for story in (identities, registry, logs, trails, runner):
    story()
networks(sys.modules[__name__])
for api in ("iam", "sts", "ecr", "logs", "cloudtrail", "ec2"):
    for operation in served.get(api, []):
        if (api, operation) not in called:
            fault(f"{api}:{operation} is served, but the story does not call it")
for line in faults:
    print(line)
print(f"{len(called)} actions answered, {len(faults)} faults")
sys.exit(1 if faults else 0)
