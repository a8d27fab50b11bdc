# The neighbours of App Runner that teams describe beside their services.
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

# The other way to name the endpoint: in the provider. Every service that is used has its own name.
provider "aws" {
  endpoints {
    apprunner        = var.endpoint
    cloudwatchevents = var.endpoint
    cloudwatchlogs   = var.endpoint
    ec2              = var.endpoint
    ecr              = var.endpoint
    iam              = var.endpoint
    sts              = var.endpoint
    wafv2            = var.endpoint
  }
}

variable "endpoint" {
  type = string
}

resource "aws_cloudwatch_log_group" "events" {
  name = "/aws/events/tf"
}

resource "aws_cloudwatch_event_rule" "deployments" {
  name        = "tf-deployments"
  description = "deployments that ended"
  event_pattern = jsonencode({
    source      = ["aws.apprunner"]
    detail-type = ["AppRunner Service Operation Status Change"]
  })
  tags = { Team = "web" }
}

resource "aws_cloudwatch_event_target" "logs" {
  rule = aws_cloudwatch_event_rule.deployments.name
  arn  = aws_cloudwatch_log_group.events.arn
}

resource "aws_wafv2_ip_set" "office" {
  name               = "tf-office"
  scope              = "REGIONAL"
  ip_address_version = "IPV4"
  addresses          = ["192.0.2.0/24"]
}

resource "aws_wafv2_web_acl" "front" {
  name  = "tf-front"
  scope = "REGIONAL"

  default_action {
    block {}
  }

  rule {
    name     = "office"
    priority = 1
    action {
      allow {}
    }
    statement {
      ip_set_reference_statement {
        arn = aws_wafv2_ip_set.office.arn
      }
    }
    visibility_config {
      cloudwatch_metrics_enabled = true
      metric_name                = "office"
      sampled_requests_enabled   = true
    }
  }

  visibility_config {
    cloudwatch_metrics_enabled = true
    metric_name                = "front"
    sampled_requests_enabled   = true
  }
}

resource "aws_iam_user" "ci" {
  name = "tf-ci"
}

resource "aws_iam_group" "devs" {
  name = "tf-devs"
}

resource "aws_iam_user_group_membership" "ci" {
  user   = aws_iam_user.ci.name
  groups = [aws_iam_group.devs.name]
}

resource "aws_iam_access_key" "ci" {
  user = aws_iam_user.ci.name
}

resource "aws_iam_group_policy_attachment" "devs" {
  group      = aws_iam_group.devs.name
  policy_arn = "arn:aws:iam::aws:policy/AWSAppRunnerFullAccess"
}

resource "aws_iam_user_policy" "ci" {
  name   = "push"
  user   = aws_iam_user.ci.name
  policy = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = "ecr:*", Resource = "*" }] })
}

# what lookups find, and what CI services need
data "aws_vpc" "default" {
  default = true
}

data "aws_subnets" "default" {
  filter {
    name   = "vpc-id"
    values = [data.aws_vpc.default.id]
  }
}

data "aws_security_group" "default" {
  vpc_id = data.aws_vpc.default.id
  name   = "default"
}

data "aws_iam_role" "access" {
  name = "AppRunnerECRAccessRole"
}

data "aws_iam_policy" "full" {
  name = "AWSAppRunnerFullAccess"
}

data "aws_vpc_endpoint_service" "requests" {
  service      = "apprunner.requests"
  service_type = "Interface"
}

resource "aws_iam_openid_connect_provider" "github" {
  url             = "https://token.actions.githubusercontent.com"
  client_id_list  = ["sts.amazonaws.com"]
  thumbprint_list = ["6938fd4d98bab03faadb97b34396831e3780aea1"]
}

resource "aws_ecr_repository_policy" "p" {
  repository = aws_ecr_repository.r.name
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Sid = "pull", Effect = "Allow", Principal = { AWS = "arn:aws:iam::123456789012:root" }, Action = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"] }]
  })
}

resource "aws_ecr_repository" "r" {
  name                 = "more"
  tags                 = { A = "b" }
  image_tag_mutability = "IMMUTABLE"
}

resource "aws_iam_role" "r" {
  name                 = "inline"
  permissions_boundary = aws_iam_policy.versions.arn
  managed_policy_arns  = [aws_iam_policy.versions.arn]
  assume_role_policy   = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = ["tasks.apprunner.amazonaws.com"] } }] })
  inline_policy {
    name   = "in"
    policy = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = "apprunner:List*", Resource = "*" }] })
  }
}

resource "aws_iam_policy" "versions" {
  name   = "versions"
  policy = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = "apprunner:List*", Resource = "*", Sid = replace(var.words, " ", "") }] })
}

variable "words" {
  default = "one"
}
